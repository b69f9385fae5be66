from __future__ import annotations

import pytest
import torch

from tests.trainer.model.networks import CLASSES, make_batch, make_network
from trainer.model.flow_matching import FlowMatching, LossModule
from trainer.model.transformer import FloorPlanTransformer


@pytest.mark.parametrize("classes", [CLASSES, 0])
def test_loss_and_samples_in_palette_and_rgb_mode(classes: int) -> None:
    network, (images, tokens) = make_network(classes), make_batch(classes)
    flow = FlowMatching(network.config, 1.0)
    generator = torch.Generator().manual_seed(0)
    random_inputs = flow.random_inputs(images, 0.1, generator)
    loss = LossModule(network, flow.loss)(images, tokens, *random_inputs)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None for parameter in network.parameters())
    plans = flow.sample(network, tokens, steps=2, guidance=2.0, generator=generator)
    assert plans.shape == images.shape
    assert plans.dtype == torch.uint8


def test_classes_become_one_hot_vectors() -> None:
    images, _ = make_batch()
    expected = torch.nn.functional.one_hot(images.long(), CLASSES).permute(0, 3, 1, 2).float()
    assert torch.equal(FlowMatching(make_network().config, 1.0).clean_plans(images), expected)


def test_sampling_from_a_perfect_prediction_returns_the_plan() -> None:
    class PerfectNetwork(FloorPlanTransformer):
        def decode(self, z: torch.Tensor, t: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
            return truth[torch.arange(len(z)) % 2] * 20

    images, tokens = make_batch()
    flow = FlowMatching(make_network().config, 4.0)
    truth = flow.clean_plans(images)
    generator = torch.Generator().manual_seed(0)
    plans = flow.sample(PerfectNetwork(flow.config), tokens, steps=5, guidance=1.5, generator=generator)
    assert plans.equal(images)


def test_a_dropped_text_does_not_affect_the_loss() -> None:
    network, (images, tokens) = make_network(), make_batch()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    flow = FlowMatching(network.config, 1.0)
    noise, t, _ = flow.random_inputs(images, 0.0, torch.Generator().manual_seed(0))
    for keep_text, equal in ((torch.zeros(2).bool(), True), (torch.ones(2).bool(), False)):
        losses = [flow.loss(network, images, text, noise, t, keep_text) for text in (tokens, tokens.flip(1))]
        assert torch.equal(*losses) == equal
