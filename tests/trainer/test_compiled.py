"""``model.compile`` on CPUs, where it needs a C++ compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.ranks import Project

pytestmark = pytest.mark.torch


@pytest.mark.needs("g++")
def test_compiled_ranks_learn_what_eager_ones_do(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Compiled anew, by one process: it would start one a core, for each rank.
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    eager, _ = project.finish("eager", 2)
    compiled, _ = project.finish("compiled", 2, model__compile=True)
    assert any((tmp_path / "inductor").rglob("*.so")), "nothing was compiled"
    for one, two in zip(eager.of_kind("step"), compiled.of_kind("step"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)


def test_a_node_without_a_compiler_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", str(project.folder / "no-such-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(project.folder / "inductor"))
    (rank,) = project.start("bare", 1, model__compile=True)
    assert rank.wait() == 1
    assert "set model.compile to false" in rank.text.splitlines()[-1]
