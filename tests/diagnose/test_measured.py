"""Precision and recall of the diagnosis on the half of the labelled failures that rules are made with."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.diagnosis import measured, outcome_of
from fleet.diagnose import load_rules

DEVELOPMENT = sorted((Path(__file__).parent / "corpus").glob("*.dev.jsonl"))


@pytest.mark.parametrize("path", DEVELOPMENT, ids=lambda path: path.name)
def test_causes_are_right_and_none_is_claimed_for_harmless_noise(path: Path) -> None:
    rules = load_rules()
    outcomes: Counter[tuple[bool, str]] = Counter()
    for case in map(json.loads, path.read_text("utf-8").splitlines()):
        report, _ = measured(case, rules)
        outcomes[bool(case.get("negative")), outcome_of(case, report)] += 1
    right, wrong, silent = (outcomes[False, word] for word in ("right", "wrong", "silent"))
    assert outcomes[True, "wrong"] == 0
    assert right / (right + wrong) >= 0.95
    assert right / (right + wrong + silent) >= 0.80


def test_the_answer_is_judged_without_what_it_quotes() -> None:
    lines = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "ValueError: einops"]
    case = {"kind": "run", "exit_code": 1, "lines": lines, "remedy_keyword": "einops"}
    report, _ = measured(case, load_rules())
    assert "ValueError: einops" in report.quoted
    assert outcome_of(case, report) == "silent"
    assert outcome_of({**case, "remedy_keyword": "ValueError"}, report) == "right"
    negative = {**case, "negative": True, "expect_exception": "ValueError: einops"}
    assert outcome_of(negative, report) == "right"
