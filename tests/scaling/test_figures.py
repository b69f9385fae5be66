"""Records of ranks and samples of nodes, and what they come to."""

from __future__ import annotations

import pytest

from benchmarks.scaling.cells import Cell
from benchmarks.scaling.figures import figures_of
from benchmarks.scaling.measure import Measured
from benchmarks.scaling.report import missing_row, row_of, table
from fleet.metrics_record import MetricsRecord
from tests.support import wire
from tests.telemetry.samples import gpu, sample

CELL = Cell(size="S/16", world=2, backend="gloo", gradients="fp32", shares=((0,), (0,)))


def records(*times: float, comm: float | None = 0.25, batch: int = 8, world: int = 2) -> list[MetricsRecord]:
    """Step records every 10 steps, each after a stretch of steps of ``times`` seconds."""
    at, told = 1000.0, []
    for number, seconds in enumerate(times, 1):
        at += 10 * seconds
        told.append(
            wire.record(
                kind="step", time=at, step=10 * number, step_time=seconds,
                samples_per_second=batch * world / seconds, data_time=0.1 * seconds,
                comm_time=None if comm is None else comm * seconds, numbers={"mem_gb": 1.5},
            )
        )  # fmt: skip
    return told


def test_the_first_record_does_not_count() -> None:
    figures = figures_of({0: records(9.0, 1.0, 1.0), 1: records(9.0, 1.0, 1.0)}, [])
    assert figures.images_s == pytest.approx(16)
    assert (figures.step_time, figures.spread, figures.steps, figures.seconds) == (1.0, 1.0, 20, 20.0)


def test_speed_is_all_images_over_all_time_not_a_mean_of_speeds() -> None:
    figures = figures_of({0: records(1.0, 1.0, 3.0)}, [])
    assert figures.images_s == pytest.approx((160 + 160) / (10 + 30))
    assert figures.spread == 3.0


def test_a_whole_round_can_be_left_out() -> None:
    figures = figures_of({0: records(5.0, 7.0, 1.0, 2.0)}, [], skip=2)
    assert (figures.step_time, figures.steps) == (1.5, 20)


def test_shares_are_of_all_ranks_and_unknown_ones_are_not_zero() -> None:
    figures = figures_of({0: records(1.0, 1.0, comm=0.2), 1: records(1.0, 1.0, comm=0.4)}, [])
    assert figures.communication_share == pytest.approx(0.3)
    assert figures.data_share == pytest.approx(0.1)
    assert figures_of({0: records(1.0, 1.0, comm=None)}, []).communication_share is None


def test_utilisation_is_that_of_the_steady_steps() -> None:
    ranks = {0: records(1.0, 1.0, 1.0)}
    samples = [
        (1005.0, sample(gpu(util=10))),  # while the first record's steps were made
        (1015.0, sample(gpu(0, util=90), gpu(1, util=70))),
        (1025.0, sample(gpu(util=80))),
        (1026.0, sample(gpu(util=5), stale=True)),
        (1031.0, sample(gpu(util=0))),  # saving
    ]
    assert figures_of(ranks, samples).gpu_utilisation == pytest.approx(0.8)
    assert figures_of(ranks, []).gpu_utilisation is None


@pytest.mark.parametrize("ranks", [{}, {0: records(1.0)}, {0: records(1.0, 1.0), 1: records(1.0)}])
def test_a_run_without_enough_records_has_no_figures(ranks: dict[int, list[MetricsRecord]]) -> None:
    with pytest.raises(ValueError, match="step records"):
        figures_of(ranks, [])


def measured(cell: Cell, step_time: float) -> Measured:
    world = cell.world
    figures = figures_of({0: records(1.0, step_time, world=world)}, [])
    return Measured(cell=cell, figures=figures, until_training=1.0, seconds=9.0)


def test_two_ranks_on_one_gpu_are_judged_by_one_gpu() -> None:
    base = measured(Cell(size="S/16", world=1, backend="gloo", gradients="fp32", shares=((0,),)), 1.0)
    row = row_of(measured(CELL, 2.5), base)
    assert row["images_s"] == pytest.approx(6.4)
    assert (row["speedup"], row["efficiency"]) == (pytest.approx(0.8), pytest.approx(0.8))
    two = Cell(size="S/16", world=2, backend="nccl", gradients="fp32", shares=((0,), (1,)))
    assert row_of(measured(two, 1.25), base)["efficiency"] == pytest.approx(0.8)


def test_a_row_without_a_baseline_claims_no_speed_up() -> None:
    row = row_of(measured(CELL, 1.0), None)
    assert (row["speedup"], row["efficiency"]) == (None, None)
    assert "| S/16 | 2 | 2 | gloo | fp32 | 16.0 | - | - |" in table([row])


def test_what_was_not_run_stands_in_the_table_with_its_reason() -> None:
    text = table([missing_row(CELL, "this machine has 1 GPU\n" + "and more " * 99)])
    head, under, row = text.splitlines()
    assert row.startswith("| S/16 | 2 | 2 | gloo | fp32 | not run: this machine has 1 GPU and more")
    assert len(row) < 200, "a table is no log"
    assert head.count("|") == under.count("|") == row.count("|")
