from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.trainer.model.networks import CLASSES, make_batch, make_network
from trainer.model.config import model_config
from trainer.model.flow_matching import FlowMatching
from trainer.model.transformer import FloorPlanTransformer, FoldedGainLinear, rms_normalize


@pytest.mark.parametrize(
    ("size", "millions", "gflop"), [("S/16", 42.4, 90.0), ("S/8", 40.9, 280.2), ("B/16", 157.6, 321.3)]
)
def test_the_sizes_have_the_documented_parameters_and_operations(
    size: str, millions: float, gflop: float
) -> None:
    config = model_config(size, image_size=256, text_tokens=512, vocabulary=8192, classes=CLASSES)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in FloorPlanTransformer(config).parameters())
    assert round(parameters / 1e6, 1) == millions
    assert round(3 * config.forward_flops() / 1e9, 1) == gflop


def test_the_computed_operations_are_those_that_torch_counts() -> None:
    network = make_network()
    # torch does not count fused attention on CPUs.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(torch.randn(1, CLASSES, 32, 32), torch.rand(1), make_batch()[1][:1])
    # Our formula omits the few operations that run once per plan (time embedding, modulation).
    assert counter.get_total_flops() == pytest.approx(network.config.forward_flops(), rel=0.02)


def test_the_parameters_have_the_names_that_checkpoints_contain() -> None:
    names = {name.split(".")[0] for name, _ in make_network().named_parameters()}
    assert names == {
        "blocks", "head", "modulation", "patch_positions", "patches", "text_blocks", "time", "word_positions",
        "words",
    }  # fmt: skip
    block = {name.removeprefix("blocks.0.") for name in make_network().state_dict() if "blocks.0." in name}
    linear = {f"{kind}.{name}" for kind in ("query", "key", "value") for name in ("weight", "gain")}
    attention = linear | {"scale", "out.weight"}
    mlp = {"mlp.0.weight", "mlp.0.gain", "mlp.2.weight"}
    both = {f"attention.{name}" for name in attention} | {f"cross.{name}" for name in attention}
    assert {name for name in block if not name.startswith("text_")} == both | mlp | {"modulation"}


def test_self_attention_equals_attention_to_a_copy() -> None:
    attention, results = make_network().blocks[0].attention, []
    x = torch.randn(2, 9, 96, generator=torch.Generator().manual_seed(0))
    for memory in (x, x.clone()):
        attention.zero_grad()
        output = attention(x, memory)
        output.square().sum().backward()
        results.append([output, *(parameter.grad.clone() for parameter in attention.parameters())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_a_folded_gain_equals_a_norm_with_gain_before_a_linear_layer() -> None:
    generator = torch.Generator().manual_seed(0)
    x, gain = torch.randn(3, 5, 8, generator=generator), torch.rand(8, generator=generator) + 0.5
    layer = FoldedGainLinear(8, 4, bias=True)
    layer.gain.data.copy_(gain)
    weight, bias, gain = (p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias, gain))
    expected = torch.nn.functional.linear(torch.nn.functional.rms_norm(x, (8,), gain, 1e-6), weight, bias)
    output = layer(rms_normalize(x))
    torch.testing.assert_close(output, expected)
    for result in (output, expected):
        result.square().sum().backward()
    for ours, theirs in ((layer.weight, weight), (layer.bias, bias), (layer.gain, gain)):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_new_network_predicts_zero_and_all_its_parameters_train() -> None:
    """Many initial weights are zero; two of them in a row would have no gradient forever."""
    torch.manual_seed(0)
    network, (images, tokens) = FloorPlanTransformer(make_network().config), make_batch()
    flow, optimizer = FlowMatching(network.config, 1.0), torch.optim.Adam(network.parameters(), 1e-2)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    random_inputs = flow.random_inputs(images, 0.0, torch.Generator().manual_seed(0))
    assert not network(torch.randn(2, CLASSES, 32, 32), torch.rand(2), tokens).any()
    for _ in range(4):
        flow.loss(network, images, tokens, *random_inputs).backward()
        optimizer.step()
        optimizer.zero_grad()
    unchanged = [
        name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])
    ]
    assert unchanged == []


def test_gradient_checkpointing_does_not_change_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        network, (images, tokens) = make_network(gradient_checkpointing=checkpointing), make_batch()
        flow = FlowMatching(network.config, 1.0)
        random_inputs = flow.random_inputs(images, 0.0, torch.Generator().manual_seed(0))
        flow.loss(network, images, tokens, *random_inputs).backward()
        gradients.append(network.patches.weight.grad)
    assert gradients[0] is not None
    assert torch.equal(gradients[0], gradients[1])  # type: ignore[arg-type]
