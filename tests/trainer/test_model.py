from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from trainer.diloco import OuterStep
from trainer.model import FloorPlanTransformer, Flow, Matrix, Objective, normalized, shape_of
from trainer.optimizer import AveragedWeights, adamw, learning_rate
from trainer.progress import Progress
from trainer.settings import Communication, Training

CLASSES = 12


def network(classes: int = CLASSES, **options: bool) -> FloorPlanTransformer:
    torch.manual_seed(0)
    shape = shape_of("tiny", image_size=32, text_tokens=8, vocabulary=64, classes=classes)
    model = FloorPlanTransformer(shape, **options)
    # Away from the quiet start, where much is zero.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


def batch(classes: int = CLASSES) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    size = (2, 32, 32) if classes else (2, 32, 32, 3)
    pictures = torch.randint(0, classes or 256, size, generator=generator, dtype=torch.uint8)
    return pictures, torch.randint(1, 64, (2, 8), generator=generator, dtype=torch.int32)


@pytest.mark.parametrize(
    ("size", "millions", "gflop"), [("S/16", 42.4, 90.0), ("S/8", 40.9, 280.2), ("B/16", 157.6, 321.3)]
)
def test_sizes_have_the_parameters_and_operations_that_are_documented(
    size: str, millions: float, gflop: float
) -> None:
    shape = shape_of(size, image_size=256, text_tokens=512, vocabulary=8192, classes=CLASSES)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in FloorPlanTransformer(shape).parameters())
    assert round(parameters / 1e6, 1) == millions
    assert round(3 * shape.forward_flops() / 1e9, 1) == gflop


def test_the_counted_operations_are_those_that_torch_counts() -> None:
    model = network()
    # Fused attention is not counted on CPUs.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(torch.randn(1, CLASSES, 32, 32), torch.rand(1), batch()[1][:1])
    # The few operations once a plan (time, modulation) are not counted by us.
    assert counter.get_total_flops() == pytest.approx(model.shape.forward_flops(), rel=0.02)


@pytest.mark.parametrize("classes", [CLASSES, 0])
def test_loss_and_samples_in_palette_and_rgb(classes: int) -> None:
    model, (pictures, tokens) = network(classes), batch(classes)
    flow = Flow(model.shape, 1.0)
    generator = torch.Generator().manual_seed(0)
    loss = Objective(model, flow.loss)(pictures, tokens, *flow.draw(pictures, 0.1, generator))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(parameter.grad is not None for parameter in model.parameters())
    plans = flow.sample(model, tokens, steps=2, guidance=2.0, generator=generator)
    assert plans.shape == pictures.shape
    assert plans.dtype == torch.uint8


def test_attention_to_itself_is_attention_to_a_copy_of_itself() -> None:
    """To itself it takes one product, to anything else two: the same numbers and gradients."""
    attention, told = network().blocks[0].attention, []
    x = torch.randn(2, 9, 96, generator=torch.Generator().manual_seed(0))
    for memory in (x, x.clone()):
        attention.zero_grad()
        mixed = attention(x, memory)
        mixed.square().sum().backward()
        told.append([mixed, *(parameter.grad.clone() for parameter in attention.parameters())])
    for one, two in zip(*told, strict=True):
        torch.testing.assert_close(one, two)


def test_a_matrix_that_holds_a_norms_weights_is_the_norm_before_a_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    x, gain = torch.randn(3, 5, 8, generator=generator), torch.rand(8, generator=generator) + 0.5
    matrix = Matrix(8, 4, bias=True)
    matrix.gain.data.copy_(gain)
    weight, bias, gain = (p.detach().clone().requires_grad_() for p in (matrix.weight, matrix.bias, gain))
    expected = torch.nn.functional.linear(torch.nn.functional.rms_norm(x, (8,), gain, 1e-6), weight, bias)
    written = matrix(normalized(x))
    torch.testing.assert_close(written, expected)
    for one in (written, expected):
        one.square().sum().backward()
    for mine, theirs in ((matrix.weight, weight), (matrix.bias, bias), (matrix.gain, gain)):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_a_new_network_predicts_nothing_and_learns_in_all_its_parts() -> None:
    """Its quiet start is many zeros: two of them in a row would never be left."""
    torch.manual_seed(0)
    model, (pictures, tokens) = FloorPlanTransformer(network().shape), batch()
    flow, optimizer = Flow(model.shape, 1.0), torch.optim.Adam(model.parameters(), 1e-2)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    randomness = flow.draw(pictures, 0.0, torch.Generator().manual_seed(0))
    assert not model(torch.randn(2, CLASSES, 32, 32), torch.rand(2), tokens).any()
    for _ in range(4):
        flow.loss(model, pictures, tokens, *randomness).backward()
        optimizer.step()
        optimizer.zero_grad()
    unmoved = [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
    assert unmoved == []


def test_classes_become_one_hot_vectors() -> None:
    pictures, _ = batch()
    expected = torch.nn.functional.one_hot(pictures.long(), CLASSES).permute(0, 3, 1, 2).float()
    assert torch.equal(Flow(network().shape, 1.0).clean(pictures), expected)


def test_a_network_that_knows_the_plan_draws_it() -> None:
    class Knowing(FloorPlanTransformer):
        def decode(self, z: torch.Tensor, t: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
            return truth[torch.arange(len(z)) % 2] * 20

    pictures, tokens = batch()
    flow = Flow(network().shape, 4.0)
    truth = flow.clean(pictures)
    drawn = flow.sample(
        Knowing(flow.shape), tokens, steps=5, guidance=1.5, generator=torch.Generator().manual_seed(0)
    )
    assert drawn.equal(pictures)


def test_checkpointing_saves_memory_and_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        model, (pictures, tokens) = network(gradient_checkpointing=checkpointing), batch()
        flow = Flow(model.shape, 1.0)
        randomness = flow.draw(pictures, 0.0, torch.Generator().manual_seed(0))
        flow.loss(model, pictures, tokens, *randomness).backward()
        gradients.append(model.patches.weight.grad)
    assert gradients[0] is not None
    assert torch.equal(gradients[0], gradients[1])  # type: ignore[arg-type]


def test_a_text_that_is_not_shown_has_no_influence() -> None:
    model, (pictures, tokens) = network(), batch()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    flow = Flow(model.shape, 1.0)
    noise, t, _ = flow.draw(pictures, 0.0, torch.Generator().manual_seed(0))
    for keep, same in ((torch.zeros(2).bool(), True), (torch.ones(2).bool(), False)):
        losses = [flow.loss(model, pictures, text, noise, t, keep) for text in (tokens, tokens.flip(1))]
        assert torch.equal(*losses) == same


def test_the_learning_rate_warms_up_and_falls_to_its_end() -> None:
    training = Training(learning_rate=1.0, warmup_steps=10, max_steps=100, final_learning_rate=0.1)
    rates = [learning_rate(training, step, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[10], rel=0.05)
    assert rates[100] == pytest.approx(0.1)


def test_a_run_ends_by_steps_or_minutes() -> None:
    training = Training(max_steps=100, max_minutes=10)
    assert Progress(step=50, minutes=2).share(training) == 0.5
    assert Progress(step=50, minutes=10).finished(training)
    assert Progress(step=100).finished(training)


def test_the_outer_step_alone_with_rate_one_keeps_the_local_weights() -> None:
    model = network()
    average = AveragedWeights(model, 0.5)
    options = Communication(diloco_steps=2, outer_learning_rate=1.0, outer_momentum=0.0)
    outer = OuterStep(model, average, options, None, 1)
    optimizer = adamw(model, Training())
    for step in range(2):
        model.head.bias.sum().backward()
        optimizer.step()
        moved = model.head.bias.detach().clone()
        outer.step_done(step)
    assert torch.allclose(model.head.bias, moved)


def test_the_outer_step_is_nesterov_over_what_the_ranks_moved() -> None:
    model = network()
    options = Communication(diloco_steps=1, outer_learning_rate=0.5, outer_momentum=0.9)
    outer = OuterStep(model, AveragedWeights(model, 0.9), options, None, 1)
    expected = model.head.bias.detach().clone()
    momentum = torch.zeros_like(expected)
    for step in range(3):
        with torch.no_grad():
            model.head.bias += 0.1
        outer.step_done(step)
        momentum = 0.9 * momentum - 0.1
        expected -= 0.5 * (-0.1 + 0.9 * momentum)
    assert torch.allclose(model.head.bias, expected, atol=1e-6)
