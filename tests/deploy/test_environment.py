"""The environment stage through real agents: a given interpreter, and uv from the package index."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from agent.interpreter import refuse, warnings
from agent.server import OperationError
from fleet.deploy import DeployOptions, deploy
from fleet.events import EnvironmentOutput, Event, Notice
from tests.deploy.conftest import BASE_PYTHON, Site
from tests.support.login import write_profile

SMALL = """
[project]
name = "small"
version = "1"
requires-python = ">=3.9"
dependencies = ["iniconfig==2.0.0"]
[project.optional-dependencies]
train = ["toolz==1.0.0"]
"""


def described(site: Site) -> dict[str, Any]:
    return json.loads((site.path / "node1/.dtui/environment.json").read_text())  # type: ignore[no-any-return]


def program(place: Path, text: str) -> str:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)
    return str(place)


async def test_a_given_interpreter_is_looked_at_once(site: Site) -> None:
    site.write({"a.py": ""})
    assert (await site.deploy()).end().ok
    kept = described(site)
    assert kept["kind"] == "existing"
    assert kept["interpreter"] == BASE_PYTHON
    assert kept["python"].startswith("3.")
    second = await site.deploy()
    assert second.details()["environment"].startswith("unchanged: Python 3.")
    assert described(site) == kept


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "is not a working Python: status 3"),
        ("echo Python was not found >&2; exit 49", "only the Microsoft Store's placeholder"),
        (
            """echo 'DTUI-FACTS {"python": "3.8.10", "packages": {}, "torch": null, "places": []}'""",
            "is Python 3.8.10, and 3.9 or newer is needed",
        ),
    ],
)
async def test_a_wrong_interpreter_is_told_with_its_reason(site: Site, script: str, said: str) -> None:
    site.write({"a.py": ""})
    node = replace(site.node(), interpreter=program(site.path / "python", script))
    outcome = await site.deploy(node)
    assert not outcome.end().ok
    assert said in outcome.end().detail
    assert "interpreter" in outcome.end().remedy
    assert outcome.stages()["copy"] == "done"


async def test_an_interpreter_that_is_not_there(site: Site) -> None:
    site.write({"a.py": ""})
    outcome = await site.deploy(replace(site.node(), interpreter="/nowhere/python"))
    assert "/nowhere/python can't be started: No such file" in outcome.end().detail


async def test_uv_is_installed_when_missing_and_makes_the_projects_environment(site: Site) -> None:
    # Neither on a login's PATH nor beside the agent's Python.
    write_profile(site.path / "home", {"PATH": "/usr/bin:/bin"})
    site.write({"pyproject.toml": SMALL})
    node = replace(site.node(), environment="uv", interpreter=None, python=BASE_PYTHON)
    outcome = await site.deploy(node)
    assert outcome.end().ok, outcome.end().detail
    printed = "".join(event.text for event in outcome.of(EnvironmentOutput))
    assert "installing it for dtui" in printed
    assert "$ uv sync --extra train" in printed
    assert "iniconfig==2.0.0" in printed
    kept = described(site)
    assert kept["interpreter"] == str(site.path / "node1/.venv/bin/python")
    (notice,) = outcome.of(Notice)
    assert "uv.lock" in notice.text
    assert [path.name for path in (site.path / "cache/dtui").iterdir() if path.is_dir()] == ["uv"]

    # uv wrote its lock file, which is no reason to do anything again, nor to delete it.
    second = await site.deploy(node)
    assert second.of(EnvironmentOutput) == []
    assert second.details()["environment"].startswith("unchanged")
    assert (site.path / "node1/uv.lock").exists()

    site.write({"pyproject.toml": SMALL.replace("toolz==1.0.0", "no-such-package-of-dtui==1")})
    third = await site.deploy(node)
    assert not third.end().ok
    assert "uv sync ended with status" in third.end().detail
    assert "dependencies" in third.end().remedy

    site.write({"requirements.txt": "toolz==1.0.0\n"})
    (site.source / "pyproject.toml").unlink()
    fourth = await site.deploy(node)
    assert fourth.end().ok, fourth.end().detail
    assert list((site.path / "node1/.venv").glob("lib/*/site-packages/toolz"))


async def test_a_project_without_dependencies_can_not_have_an_environment_of_uv(site: Site) -> None:
    site.write({"a.py": ""})
    outcome = await site.deploy(options=DeployOptions(environment="uv"))
    assert "neither pyproject.toml, requirements.txt, setup.py" in outcome.end().detail
    assert "set `interpreter`" in outcome.end().remedy


async def test_a_console_that_leaves_ends_uv_with_its_children(site: Site) -> None:
    pids = site.path / "pids"
    program(
        site.path / "home/.local/bin/uv",
        f"""[ "$1" = --version ] && exit 0
sleep 600 &
echo $$ $! > {pids}.new; mv {pids}.new {pids}
echo on; wait""",
    )
    site.write({"pyproject.toml": SMALL})
    node = site.node()
    seen: list[Event] = []
    async with site.fleet(node) as fleet:
        async with aclosing(deploy(fleet, [node], DeployOptions(environment="uv"))) as events:
            async for event in events:
                seen.append(event)
                if isinstance(event, EnvironmentOutput) and "on\n" in event.text:
                    break
        processes = [int(pid) for pid in pids.read_text().split()]
        async with asyncio.timeout(120):
            while any(psutil.pid_exists(pid) for pid in processes):
                await asyncio.sleep(0.02)
    assert len(processes) == 2
    assert (await site.deploy()).end().ok


def facts(**torch: Any) -> dict[str, Any]:
    usual = {"error": None, "version": "2.9.1", "cuda": None, "sees_gpu": False, "gloo": True, "nccl": False}
    full = {**usual, **torch}
    return {"python": "3.11.9", "packages": {"torch": full["version"]}, "torch": full}


def test_a_windows_torch_without_gloo_is_refused_by_what_it_has_not_by_its_number() -> None:
    refuse(facts(), "python", windows=True)
    with pytest.raises(OperationError, match="without gloo") as caught:
        refuse(facts(gloo=False), "python", windows=True)
    assert "2.11" in caught.value.remedy
    refuse(facts(gloo=False, nccl=True), "python", windows=False)
    with pytest.raises(OperationError, match="without gloo") as caught:
        refuse(facts(gloo=False), "python", windows=False)
    assert "Windows" not in caught.value.remedy


def test_a_torch_that_does_not_load_is_refused() -> None:
    with pytest.raises(OperationError, match="does not load: OSError"):
        refuse({**facts(), "torch": {"error": "OSError: c10.dll"}}, "python", windows=True)


def test_a_torch_for_the_cpu_on_a_node_with_a_gpu_is_worth_a_warning() -> None:
    assert "a build for the CPU" in warnings(facts(), nvidia=True)[0]
    assert "driver" in warnings(facts(cuda="12.8"), nvidia=True)[0]
    assert warnings(facts(cuda="12.8", sees_gpu=True), nvidia=True) == []
    assert warnings(facts(), nvidia=False) == []


def test_output_and_silence_are_relayed_and_the_tail_is_kept(tmp_path: Path) -> None:
    import threading

    from agent import command

    ticks = iter(range(10_000))
    said: list[str] = []
    silences: list[float] = []
    result = command.run(
        ["/bin/sh", "-c", "printf 'one\\nt'; sleep 0.3; printf 'wo\\n\\303'; printf '\\251 end\\n'; exit 7"],
        cwd=str(tmp_path),
        env=os.environ,
        cancelled=threading.Event(),
        output=said.append,
        quiet=silences.append,
        clock=lambda: next(ticks) * 6.0,
    )
    assert "".join(said) == "one\ntwo\né end\n"
    assert result == (7, ["one", "two", "é end"])
    assert silences
    assert min(silences) >= command.QUIET
