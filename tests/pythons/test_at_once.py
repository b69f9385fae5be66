"""Distinct operations that arrive at once, each with imports of its own, are all answered correctly."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.wire.operations import OPERATIONS
from fleet.errors import OperationFailed
from tests.pythons.conftest import EVERY_PYTHON
from tests.support.agents import local_agent
from tests.support.needs import needed_python
from tests.support.pythons import find

#: With the race of zipimport every one of twelve failed on Python 3.9.
AGENTS = 12

#: Operation -> its arguments beside the project, and what a right answer has.
REQUESTS: dict[str, tuple[dict[str, Any], Callable[[Any], bool]]] = {
    "ping": ({}, lambda answer: answer["time"] > 0),
    "route": ({"master_address": "127.0.0.1"}, lambda answer: answer["source"] == "127.0.0.1"),
    "probe": ({"master_address": "127.0.0.1"}, lambda answer: answer["os"]["system"] == "Linux"),
    "conditions": ({}, lambda answer: "project" in answer),
    "status": ({}, lambda answer: answer["runs"] == []),
    "sweep": ({}, lambda answer: isinstance(answer, dict)),
    "follow": ({"files": [], "once": True}, lambda answer: answer == {"offsets": {}}),
    "portcheck": ({"address": "127.0.0.1", "ports": [0]}, lambda answer: answer["ports"]["0"]["all"] is None),
    "netprobe": (
        {"host": "127.0.0.1", "services": []},
        lambda answer: answer["name"]["addresses"] == ["127.0.0.1"],
    ),
    "put": ({"deploy": "d/n", "files": {"a.txt": "a"}}, lambda answer: list(answer["written"]) == ["a.txt"]),
}
#: Operation -> the failure that is right for an unknown run or an empty request.
REFUSALS = {"stop": "no-run", "trial": None, "program": "environment"}


def arguments(name: str, project: Path, args: dict[str, Any]) -> Any:
    return args if name in ("ping", "portcheck", "netprobe", "route") else {"project": str(project), **args}


async def errors_of_one_agent(python: str, project: Path) -> list[str]:
    """Start an agent, send everything at once and return what was wrong."""
    asked: list[tuple[str, dict[str, Any]]] = [(name, args) for name, (args, _) in REQUESTS.items()]
    asked += [("stop", {"run": "none"}), ("program", {"argv": [], "node": "n", "seconds": 1})]
    asked += [("trial", {"node": "n", "backend": "gloo", "gpu": False, "env": {}, "variables": {}})]
    async with local_agent(python) as link:
        answers = await asyncio.gather(
            *(link.call(OPERATIONS[name], arguments(name, project, args)) for name, args in asked),
            return_exceptions=True,
        )
    wrong = []
    for (name, _), answer in zip(asked, answers, strict=True):
        if name in REFUSALS:
            code = answer.code if isinstance(answer, OperationFailed) else None
            if code != REFUSALS[name]:
                wrong.append(f"{name}: {answer}")
        elif isinstance(answer, BaseException) or not REQUESTS[name][1](answer):
            wrong.append(f"{name}: {answer}")
    return wrong


@pytest.fixture(params=EVERY_PYTHON.values())
def every_python(request: pytest.FixtureRequest) -> str:
    return needed_python(request.param)


async def test_requests_at_once_are_all_answered(
    every_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    projects = [tmp_path / f"project-{number}" for number in range(AGENTS)]
    for project in projects:
        project.mkdir()
    wrong: list[str] = []
    # Few at a time: the race is among the threads of one agent, and the machine may be small.
    for begin in range(0, AGENTS, 4):
        found = await asyncio.gather(
            *(errors_of_one_agent(every_python, project) for project in projects[begin : begin + 4])
        )
        wrong += [error for errors in found for error in errors]
    assert wrong == []


def test_the_python_that_runs_the_tests_is_found() -> None:
    assert find("{}.{}".format(*sys.version_info[:2])) == sys.executable
