"""The labelled failures in ``corpus``: well formed, from a public thread, each in the half it belongs to."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.jsonl"))
HALVES = {"dev", "eval"}
REQUIRED = {
    "id",
    "category",
    "kind",
    "source",
    "platform",
    "exit_code",
    "lines",
    "cause",
    "remedy_keyword",
}
OPTIONAL = {"stopped", "step", "other_ranks", "negative", "expect_exception", "not_reachable"}
KINDS = {"run", "ssh", "winrm", "uv"}
PLATFORMS = {"windows", "linux", "both"}
IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9.-]*")
SOURCE = re.compile(r"[\w.-]+/[\w.-]+#\d+")
#: A rank's text, as it is in the log: the longest excerpt is a few lines around what failed.
LONGEST = 20

Case = dict[str, object]


def cases(path: Path) -> list[Case]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def half_of(path: Path) -> str:
    return path.name.split(".")[-2]


def half_for(identifier: str) -> str:
    """Return the half of a case: decided by its id alone, so that nobody chooses it."""
    return "dev" if int(hashlib.sha256(identifier.encode()).hexdigest()[0], 16) % 2 == 0 else "eval"


def faults_of_text(what: str, lines: object) -> Iterator[str]:
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        yield f"{what} is not a list of texts"
    elif not 1 <= len(lines) <= LONGEST:
        yield f"{what} has {len(lines)} lines, 1 to {LONGEST} are wanted"
    elif any("\n" in line for line in lines):
        yield f"{what} has a line with a line break in it"
    elif not any(line.strip() for line in lines):
        yield f"{what} is empty"


def faults_of_label(case: Case) -> Iterator[str]:
    """Yield what contradicts itself in what a human has found."""
    remedy = str(case["remedy_keyword"])
    try:
        pattern = re.compile(remedy, re.IGNORECASE)
    except re.error as error:
        yield f"remedy_keyword {remedy!r} is no regular expression: {error}"
        return
    expected = case.get("expect_exception")
    failed = case["exit_code"] != 0 and not case.get("stopped")
    if case.get("negative"):
        if remedy != "^$":
            yield "negative, and yet with a remedy"
        if failed != (expected is not None):
            yield "a negative that failed has expect_exception, one that did not has none"
    elif expected is not None:
        yield "expect_exception is for negatives"
    elif pattern.search(""):
        yield f"remedy_keyword {remedy!r} matches any answer"
    if expected is not None and not any(str(expected) in line for line in texts(case)):
        yield f"expect_exception {expected!r} is in none of the lines"


def texts(case: Case) -> list[str]:
    lines = case["lines"]
    assert isinstance(lines, list)
    return lines


def faults_of(case: Case) -> Iterator[str]:
    """Yield what is wrong with one case."""
    if missing := REQUIRED - case.keys():
        yield f"without {sorted(missing)}"
        return
    if unknown := case.keys() - REQUIRED - OPTIONAL:
        yield f"with unknown {sorted(unknown)}"
    for name in ("id", "category", "source", "cause", "remedy_keyword"):
        if not isinstance(case[name], str) or not case[name]:
            yield f"{name} is no text"
    if not IDENTIFIER.fullmatch(str(case["id"])):
        yield f"id {case['id']!r} has signs other than a-z, 0-9, a dot and a dash"
    if not SOURCE.fullmatch(str(case["source"])):
        yield f"source {case['source']!r} is not repo#number"
    if case["kind"] not in KINDS:
        yield f"unknown kind {case['kind']!r}"
    if case["platform"] not in PLATFORMS:
        yield f"unknown platform {case['platform']!r}"
    if not isinstance(case["exit_code"], int | None) or isinstance(case["exit_code"], bool):
        yield f"exit_code {case['exit_code']!r} is no number"
    if (case["kind"] == "uv") != ("step" in case):
        yield "step belongs to cases of the kind uv, and to all of them"
    if problems := list(faults_of_text("lines", case["lines"])):
        yield from problems
        return
    others = case.get("other_ranks", {})
    if not isinstance(others, dict) or not all(rank.isdecimal() and rank != "1" for rank in others):
        yield "other_ranks are numbers other than 1, the rank that lines belongs to"
    else:
        for rank, lines in others.items():
            yield from faults_of_text(f"rank {rank}", lines)
    yield from faults_of_label(case)


def test_the_corpus_has_files_of_both_halves() -> None:
    assert {half_of(path) for path in FILES} == HALVES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_cases_are_well_formed(path: Path) -> None:
    found = cases(path)
    assert found, f"{path.name} is empty"
    assert [f"{case.get('id')}: {fault}" for case in found for fault in faults_of(case)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_case_is_in_the_half_that_its_id_decides(path: Path) -> None:
    assert [case["id"] for case in cases(path) if half_for(str(case["id"])) != half_of(path)] == []


def test_no_id_is_used_twice() -> None:
    seen: dict[str, str] = {}
    twice = []
    for path in FILES:
        for case in cases(path):
            identifier = str(case["id"])
            if identifier in seen:
                twice.append(f"{identifier} in {seen[identifier]} and {path.name}")
            seen[identifier] = path.name
    assert twice == []


def test_no_text_is_in_both_halves() -> None:
    """A rule that was written for a case of one half would be measured with its own case in the other."""
    halves: dict[str, dict[tuple[str, ...], object]] = {half: {} for half in HALVES}
    for path in FILES:
        for case in cases(path):
            halves[half_of(path)][tuple(line.strip() for line in texts(case))] = case["id"]
    both = halves["dev"].keys() & halves["eval"].keys()
    assert [(halves["dev"][text], halves["eval"][text]) for text in both] == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"source": "a thread somewhere"}, "is not repo#number"),
        ({"remedy_keyword": "("}, "no regular expression"),
        ({"remedy_keyword": "port|"}, "matches any answer"),
        ({"lines": []}, "has 0 lines"),
        ({"lines": ["a\nb"]}, "line break"),
        ({"step": "uv sync"}, "belongs to cases of the kind uv"),
        ({"other_ranks": {"1": ["x"]}}, "other than 1"),
        ({"expect_exception": "KeyError: 'x'"}, "for negatives"),
        ({"negative": True}, "with a remedy"),
        ({"negative": True, "remedy_keyword": "^$"}, "has expect_exception"),
        ({"negative": True, "remedy_keyword": "^$", "expect_exception": "KeyError"}, "in none of the lines"),
        ({"colour": "red"}, "with unknown ['colour']"),
    ],
)
def test_a_faulty_case_is_named(change: Case, fault: str) -> None:
    good: Case = {
        "id": "port-in-use",
        "category": "rendezvous",
        "kind": "run",
        "source": "owner/repo#1",
        "platform": "linux",
        "exit_code": 1,
        "lines": ["RuntimeError: Address already in use"],
        "cause": "port in use",
        "remedy_keyword": "port",
    }
    assert list(faults_of(good)) == []
    assert any(fault in one for one in faults_of(good | change))
