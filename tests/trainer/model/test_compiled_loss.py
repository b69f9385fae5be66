"""``model.compile`` on CPUs, where it needs a C++ compiler."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.training_runs import Project
from trainer.model.compiled_loss import CompiledLoss

pytestmark = [
    pytest.mark.torch,
    # From torch itself, when its compiler is imported.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def compile_from_scratch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use no cache of an earlier test, and do not start one compiler process per core."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    monkeypatch.setattr(torch._dynamo.config, "optimize_ddp", torch._dynamo.config.optimize_ddp)


@pytest.mark.full
@pytest.mark.needs("g++")
def test_compiling_does_not_change_loss_and_gradients(tmp_path: Path) -> None:
    def loss(network: nn.Module, x: Tensor) -> Tensor:
        value: Tensor = network(x).square().mean()
        return value

    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(8, 8), nn.GELU()), torch.randn(4, 8)
    compiled = CompiledLoss(loss, cuda_graphs=False, split_at_buckets=False)
    results = []
    for function in (loss, compiled):
        network.zero_grad()
        value = function(network, x)
        value.backward()
        results.append([value.detach(), *(weight.grad for weight in network.parameters())])
    torch.testing.assert_close(results[0], results[1])
    assert any((tmp_path / "inductor").rglob("*.so")), "nothing was compiled"


def test_compiling_without_a_compiler_ends_with_a_hint(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(project.folder / "no-such-compiler"))
    (rank,) = project.start("no-compiler", 1, model__compile=True)
    assert rank.wait() == 1
    assert "set model.compile to false" in rank.text.splitlines()[-1]
