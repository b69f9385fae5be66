"""The whole benchmark on CPUs: dtui deploys the trainer to two nodes and launches it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.scaling.__main__ import main
from benchmarks.scaling.cells import Cell
from benchmarks.scaling.expected import Expectations
from benchmarks.scaling.measure import Bench, CellFailed
from benchmarks.scaling.project import Load, make_project
from lab.lab import Lab

LOAD = Load(batch=2, steps=6, minutes=1, log_every=2, image_size=16, text_tokens=16, precision="no", pairs=16)
SOLO = Cell(size="tiny", world=1, backend="gloo", gradients="fp32", shares=((),))
PAIR = Cell(size="tiny", world=2, backend="gloo", gradients="fp16", shares=((), ()))


@pytest.mark.torch
async def test_two_nodes_train_one_model_and_their_records_become_figures(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    make_project(project, LOAD)
    async with Lab(2, root=tmp_path / "lab") as lab:
        lab.trust(project / ".dtui" / "known_hosts")
        measured = await Bench(lab, project, LOAD).measure(PAIR, 120)
        expectations = Expectations(Bench(lab, project, LOAD), project / ".dtui", LOAD)
        alone = replace(measured, cell=SOLO, figures=replace(measured.figures, step_time=0.5))
        assert await expectations.of(alone) is None, "the baseline is what forecasts begin with"
        expected = await expectations.of(measured)
        assert not list(tmp_path.glob("lab/*/home/dtui/*/checkpoints")), "gigabytes for nobody"
    assert expected is not None
    assert 0.7 * 8 < expected < 8, (
        "two ranks with 2 pairs in half a second each, and a small model's gradients"
    )
    figures = measured.figures
    assert figures.steps == 4
    assert figures.images_s == pytest.approx(2 * 2 / figures.step_time, rel=0.05)
    assert figures.communication_share is not None, "the ranks exchanged gradients"
    assert figures.communication_share > 0
    assert 0 < measured.until_training < measured.seconds


async def test_a_cell_that_fails_says_what_its_ranks_said(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "configs").mkdir(parents=True)
    (project / "trainer").mkdir()
    (project / "trainer" / "__main__.py").write_text("raise SystemExit('the disk is on fire')\n")
    async with Lab(1, root=tmp_path / "lab") as lab:
        lab.trust(project / ".dtui" / "known_hosts")
        with pytest.raises(CellFailed, match="the disk is on fire"):
            await Bench(lab, project, LOAD).measure(SOLO, 60)


async def test_what_the_limit_cuts_off_is_told_row_by_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    text = tmp_path / "table.md"
    arguments = ["--cpu", "--limit", "0", "--worlds", "2", "--gradients", "fp32", "--work", str(tmp_path)]
    assert await main([*arguments, "--backends", "gloo,nccl", "--markdown", str(text)]) == 0
    machine, *rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert machine["measure"] == "machine"
    assert [(row["measure"], row["world"], row["backend"], row["reason"]) for row in rows] == [
        ("not run", 1, "gloo", "the time limit"),
        ("not run", 2, "gloo", "the time limit"),
        ("not run", 2, "nccl", "nccl needs GPUs"),
    ]
    assert text.read_text().count("not run") == 3


@pytest.mark.parametrize("option", ["--sizes=S/17", "--gradients=fp8", "--backends=mpi", "--worlds=1"])
async def test_a_wrong_word_is_refused_before_anything_starts(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        await main([option])
    assert option.split("=")[0] in capsys.readouterr().err
