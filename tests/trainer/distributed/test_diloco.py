from __future__ import annotations

import torch

from tests.trainer.model.networks import make_network
from trainer.distributed.diloco import OuterOptimizer
from trainer.model.ema import ExponentialMovingAverage
from trainer.model.optimizer import create_optimizer
from trainer.settings import Communication, Training


def test_with_one_rank_a_rate_of_one_and_no_momentum_the_local_weights_are_kept() -> None:
    network = make_network()
    options = Communication(diloco_steps=2, outer_learning_rate=1.0, outer_momentum=0.0)
    outer = OuterOptimizer(network, ExponentialMovingAverage(network, 0.5), options, None, 1)
    optimizer = create_optimizer(network, Training())
    for step in range(2):
        network.head.bias.sum().backward()
        optimizer.step()
        local = network.head.bias.detach().clone()
        outer.after_local_step(step)
    assert torch.allclose(network.head.bias, local)


def test_the_outer_step_is_nesterov_over_the_local_movement() -> None:
    network = make_network()
    options = Communication(diloco_steps=1, outer_learning_rate=0.5, outer_momentum=0.9)
    outer = OuterOptimizer(network, ExponentialMovingAverage(network, 0.9), options, None, 1)
    expected = network.head.bias.detach().clone()
    momentum = torch.zeros_like(expected)
    for step in range(3):
        with torch.no_grad():
            network.head.bias += 0.1
        outer.after_local_step(step)
        momentum = 0.9 * momentum - 0.1
        expected -= 0.5 * (-0.1 + 0.9 * momentum)
    assert torch.allclose(network.head.bias, expected, atol=1e-6)
