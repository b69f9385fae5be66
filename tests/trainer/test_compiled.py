"""``model.compile`` on CPUs, where it needs a C++ compiler."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.trainer.ranks import Project
from trainer.compiled import CompiledLoss

pytestmark = [
    pytest.mark.torch,
    # torch's own, while its compiler is imported.
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def compiles_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of an earlier test is used, and no process a core is started."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    monkeypatch.setattr(torch._dynamo.config, "optimize_ddp", torch._dynamo.config.optimize_ddp)


@pytest.mark.needs("g++")
def test_a_compiled_loss_and_its_gradients_are_those_of_an_eager_one(tmp_path: Path) -> None:
    def loss(network: nn.Module, x: Tensor) -> Tensor:
        value: Tensor = network(x).square().mean()
        return value

    torch.manual_seed(0)
    network, x = nn.Sequential(nn.Linear(8, 8), nn.GELU()), torch.randn(4, 8)
    compiled = CompiledLoss(loss, graphs=False, cuts=False)
    told = []
    for way in (loss, compiled):
        network.zero_grad()
        value = way(network, x)
        value.backward()
        told.append([value.detach(), *(weight.grad for weight in network.parameters())])
    torch.testing.assert_close(told[0], told[1])
    assert any((tmp_path / "inductor").rglob("*.so")), "nothing was compiled"


def test_a_run_that_is_to_compile_without_a_compiler_says_what_to_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", str(project.folder / "no-such-compiler"))
    (rank,) = project.start("bare", 1, model__compile=True)
    assert rank.wait() == 1
    assert "set model.compile to false" in rank.text.splitlines()[-1]
