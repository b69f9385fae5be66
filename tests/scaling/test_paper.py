"""Forecasts for clusters that are not here, beside the guide's expectations."""

from __future__ import annotations

import pytest

from benchmarks.scaling.paper import CLUSTERS, on_paper, paper_table
from fleet.forecast import Workload

#: 42 million parameters, and 40 ms to compute a step.
ROWS = on_paper("S/16", Workload(168_000_000, 0.04))


def speed(gpus: int, nodes: int, gbit: float, gradients: str) -> float:
    (row,) = [
        row
        for row in ROWS
        if (row["gpus"], row["nodes"], row["gbit_s"], row["gradients"]) == (gpus, nodes, gbit, gradients)
    ]
    return float(row["speedup"])


def test_a_gigabit_between_nodes_costs_what_its_bytes_take() -> None:
    # Half of the gradients cross the link of two nodes twice, and nearly nothing hides behind 40 ms.
    exchange = 168e6 / 125e6
    at_best = 2 * 0.04 / (0.04 + exchange - 0.02)
    assert speed(2, 2, 1, "fp32") == pytest.approx(at_best, rel=0.15)


def test_halves_faster_links_and_rare_meetings_help_in_this_order() -> None:
    slow, half, fast, rare = (
        speed(8, 2, *how) for how in ((1, "fp32"), (1, "fp16"), (10, "fp32"), (1, "low"))
    )
    assert slow < half < fast < rare < 8


def test_the_guides_clusters_are_all_there_with_its_numbers() -> None:
    assert {(row["gpus"], row["nodes"], row["guide"]) for row in ROWS if row["guide"]} == {
        (4, 1, 3.5), (8, 2, 6.5), (16, 4, 12.0),
    }  # fmt: skip
    assert {(row["gpus"], row["nodes"]) for row in ROWS} == set(CLUSTERS)


def test_the_table_has_a_line_for_each_cluster_and_link() -> None:
    head, under, *lines = paper_table(ROWS).splitlines()
    assert head == "| network | GPUs | nodes | link | guide | fp32 | fp16 | low |"
    assert {line.count("|") for line in (head, under, *lines)} == {9}
    assert len(lines) == len(ROWS) / 3
    assert f"| S/16 | 4 | 1 | in one machine | 3.5x | {speed(4, 1, 1, 'fp32'):.2f}x |" in "\n".join(lines)
