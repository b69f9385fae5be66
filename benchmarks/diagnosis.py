"""Measures the diagnosis on labelled excerpts.

``python -m benchmarks.diagnosis CASES.jsonl --details OUT.jsonl``
Prints what is wrong or silent with ``-v``; the last line is one JSON object with precision, recall,
negatives_false and cases. An answer is the cause with the next steps, without texts quoted from the input.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from fleet.diagnose import Context, Output, Report, Rule, diagnose, load_rules


def outputs_of(case: dict[str, Any]) -> tuple[list[Output], int | None]:
    """Return the case's ranks, and the one that failed."""
    system = "windows" if case.get("platform") == "windows" else "linux"
    context = Context(system, "other", None, case["kind"])
    stopped = bool(case.get("stopped"))
    others = case.get("other_ranks") or {}
    if not others:
        return [Output("\n".join(case["lines"]), context, None, case.get("exit_code"), stopped)], None
    own = Output("\n".join(case["lines"]), context, 1, case.get("exit_code"), stopped)
    return [own, *(Output("\n".join(text), context, int(rank)) for rank, text in others.items())], 1


def outcome_of(case: dict[str, Any], report: Report) -> str:
    """Return right, wrong or silent."""
    cause = report.found.cause if report.found is not None else None
    if case.get("negative"):
        if case.get("exit_code") == 0 or case.get("stopped"):
            return "right" if cause is None else "wrong"
        if cause is not None:
            return "wrong"
        return "right" if case.get("expect_exception", "") in report.exception else "silent"
    answer = " ".join([cause or "", *report.next])
    for text in sorted(report.quoted, key=len, reverse=True):
        answer = answer.replace(text, " ")
    if re.search(case["remedy_keyword"], answer, re.IGNORECASE):
        return "right"
    return "wrong" if cause is not None else "silent"


def measured(case: dict[str, Any], rules: tuple[Rule, ...]) -> tuple[Report, float]:
    """Return the case's report, and the milliseconds that it took."""
    outputs, failed = outputs_of(case)
    started = time.perf_counter()
    report = diagnose(outputs, rules, failed)
    return report, (time.perf_counter() - started) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", type=Path, nargs="+")
    parser.add_argument("--details", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true", help="print the cases that are not right")
    args = parser.parse_args()
    rules = load_rules()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    details, times = [], []
    lines = [line for path in args.cases for line in path.read_text("utf-8").splitlines() if line.strip()]
    for case in map(json.loads, lines):
        report, took = measured(case, rules)
        outcome = outcome_of(case, report)
        found = report.found
        times.append(took)
        for group in ("all", case["kind"]):
            counts[group][f"{'negative' if case.get('negative') else 'positive'} {outcome}"] += 1
        details.append(
            {
                "id": case["id"],
                "outcome": outcome,
                "cause": str(found.cause) if found is not None else None,
                "next": [str(step) for step in report.next],
                "exception": report.exception,
                "quoted": list(report.quoted),
                "ms": round(took, 3),
                "rule": found.signature if found is not None else None,
            }
        )
        if args.verbose and outcome != "right":
            said = f"{found.signature}: {found.cause}" if found is not None else report.exception
            print(f"{outcome:7}{case['id']:30}{case['remedy_keyword']!r}\n      <- {said}")
            print("\n".join(f"        {line[:180]}" for line in case["lines"][-6:]))
    if args.details:
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in details)
        args.details.write_text(text, "utf-8")
    for group, count in sorted(counts.items()):
        print(f"{group:8}{json.dumps(_scores(count))}")
    print(json.dumps({**_scores(counts["all"]), "ms_median": round(statistics.median(times or [0.0]), 3)}))
    return 0


def _scores(count: Counter[str]) -> dict[str, float]:
    right, wrong, silent = (count[f"positive {word}"] for word in ("right", "wrong", "silent"))
    false = count["negative wrong"]
    claimed, positive = right + wrong + false, right + wrong + silent
    return {
        "precision": round(right / claimed, 4) if claimed else 1.0,
        "recall": round(right / positive, 4) if positive else 1.0,
        "negatives_false": false,
        "cases": sum(count.values()),
    }


if __name__ == "__main__":
    raise SystemExit(main())
