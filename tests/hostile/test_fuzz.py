"""Every fuzz target for a moment, always with the same inputs; `python -m benchmarks.fuzz` runs longer."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import found_targets, run

TARGETS = found_targets()


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_finds_no_fault(name: str) -> None:
    target, seeds = TARGETS[name]
    count, _, failing = run(name, target, seeds, seconds=1.0, seed=1)
    assert failing == b"", failing[:500]
    assert count > 0
