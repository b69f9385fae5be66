"""Which runs a benchmark of scaling makes, and what it says of those that it can't."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks.scaling.cells import Grid
from benchmarks.scaling.project import Load, run_of, settings_of

EIGHT = Grid(
    sizes=("S/16",), worlds=(2, 8), backends=("nccl", "gloo"), gradients=("fp32", "diloco"), gpus=8, cores=64
)
LOAD = Load(
    batch=64, steps=60, minutes=1, log_every=5, image_size=256, text_tokens=512, precision="fp16", workers=2
)


def test_the_baseline_is_one_rank_and_comes_first() -> None:
    cells, missing = EIGHT.cells()
    assert [(cell.world, cell.backend, cell.gradients) for cell in cells] == [
        (1, "nccl", "fp32"),
        (2, "nccl", "fp32"), (2, "nccl", "diloco"), (2, "gloo", "fp32"), (2, "gloo", "diloco"),
        (8, "nccl", "fp32"), (8, "nccl", "diloco"), (8, "gloo", "fp32"), (8, "gloo", "diloco"),
    ]  # fmt: skip
    assert missing == []


@pytest.mark.parametrize(
    ("nodes", "world", "shares"),
    [
        (2, 1, ((0,),)),
        (2, 2, ((0,), (1,))),
        (2, 8, ((0, 1, 2, 3), (4, 5, 6, 7))),
        (4, 8, ((0, 1), (2, 3), (4, 5), (6, 7))),
        (1, 4, ((0, 1, 2, 3),)),
        (2, 3, ((0,), (1, 2))),
    ],
)
def test_every_gpu_belongs_to_one_node(nodes: int, world: int, shares: tuple[tuple[int, ...], ...]) -> None:
    cells, _ = replace(EIGHT, nodes=nodes, worlds=(world,)).cells()
    assert {cell.shares for cell in cells if cell.world == world} == {shares}
    assert {cell.devices for cell in cells if cell.world == world} == {world}


def test_more_ranks_than_gpus_are_told_not_run() -> None:
    cells, missing = replace(EIGHT, gpus=2).cells()
    assert {cell.world for cell in cells} == {1, 2}
    assert {(cell.world, reason) for cell, reason in missing} == {(8, "this machine has 2 GPUs")}


def test_ranks_that_share_a_gpu_are_one_processor_and_need_gloo() -> None:
    cells, missing = replace(EIGHT, gpus=1, share_gpu=True, worlds=(2,)).cells()
    assert {(cell.world, cell.devices, cell.shares) for cell in cells} == {
        (1, 1, ((0,),)),
        (2, 1, ((0,), (0,))),
    }
    assert {(cell.backend, reason) for cell, reason in missing} == {
        ("nccl", "nccl refuses two ranks on one GPU")
    }


def test_on_the_cpu_each_rank_is_a_node_with_one_thread() -> None:
    cells, missing = replace(EIGHT, gpus=None, cores=2, backends=("gloo",)).cells()
    assert [cell.shares for cell in cells] == [((),), ((), ()), ((), ())]
    assert {(cell.world, reason) for cell, reason in missing} == {(8, "this machine has 2 cores")}
    assert dict(run_of(cells[0], 29500, Path("/compiled")).env)["OMP_NUM_THREADS"] == "1"


def test_gradients_become_the_trainers_settings() -> None:
    cells, _ = replace(EIGHT, gradients=("fp32", "fp16", "diloco"), backends=("gloo",)).cells()
    told = {cell.gradients: settings_of(cell, LOAD)["communication"] for cell in cells if cell.world == 8}
    assert told == {
        "fp32": {"gradient_compression": "none", "diloco_steps": 0},
        "fp16": {"gradient_compression": "fp16", "diloco_steps": 0},
        "diloco": {"gradient_compression": "none", "diloco_steps": 20},
    }
    run = run_of(cells[0], 29555, Path("/compiled"))
    assert (run.backend, run.port, dict(run.env)) == (
        "gloo",
        29555,
        {"TORCHINDUCTOR_CACHE_DIR": str(Path("/compiled"))},
    )


def test_low_communication_runs_whole_rounds_however_long_they_take() -> None:
    cells, _ = replace(EIGHT, backends=("gloo",)).cells()
    told = {cell.gradients: settings_of(cell, LOAD)["training"] for cell in cells if cell.world == 8}
    assert (told["fp32"]["max_steps"], told["fp32"]["max_minutes"]) == (60, 1)
    assert told["diloco"]["max_steps"] % LOAD.diloco_steps == 0
    assert told["diloco"]["max_minutes"] == 0
    assert LOAD.diloco_steps % LOAD.log_every == 0
