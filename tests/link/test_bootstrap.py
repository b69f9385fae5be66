"""What a person is told when a node has no Python that can run the agent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fleet.errors import NoAgent
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from transports.base import Endpoint
from transports.local.transport import LocalTransport


def interpreter(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


async def refusal(python: str | None, *, timeout: float = 30) -> str:
    transport = LocalTransport(Endpoint("localhost"))
    with pytest.raises(NoAgent) as caught:
        await start_agent(transport, pack_agent(), node="gpu1", python=python, timeout=timeout)
    assert caught.value.node == "gpu1"
    assert "3.9" in caught.value.remedy
    return caught.value.what


async def test_an_old_python_is_named_with_its_version(tmp_path: Path) -> None:
    script = (
        f"exec {sys.executable} -c 'import sys;sys.version_info=(3,8,10);exec(sys.stdin.buffer.readline())'"
    )
    assert "it is Python 3.8.10, and 3.9 or newer is needed" in await refusal(interpreter(tmp_path, script))


async def test_the_store_placeholder_is_recognised(tmp_path: Path) -> None:
    script = (
        "echo 'Python was not found; run without arguments to install from the Microsoft Store' >&2; exit 9"
    )
    assert "Microsoft Store's placeholder" in await refusal(interpreter(tmp_path, script))


async def test_python_2_is_recognised(tmp_path: Path) -> None:
    script = "echo \"AttributeError: 'file' object has no attribute 'buffer'\" >&2; exit 1"
    assert "it is Python 2" in await refusal(interpreter(tmp_path, script))


async def test_a_missing_interpreter_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in await refusal(str(tmp_path / "none"))


async def test_every_candidate_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    what = await refusal(None)
    assert "python3:" in what
    assert "python:" in what
    assert "py -3:" in what


async def test_anything_else_is_quoted(tmp_path: Path) -> None:
    what = await refusal(interpreter(tmp_path, "echo this machine is on fire; exit 7"))
    assert "ended with status 7" in what
    assert "this machine is on fire" in what


async def test_one_that_never_answers_is_given_up(tmp_path: Path) -> None:
    what = await refusal(interpreter(tmp_path, "exec cat >/dev/null"), timeout=0.3)
    assert "no answer within" in what


async def test_a_login_banner_is_skipped(tmp_path: Path) -> None:
    script = f'echo "Welcome!"; printf "unfinished line"; exec {sys.executable} "$@"'
    started = await start_agent(
        LocalTransport(Endpoint("localhost")),
        pack_agent(),
        node="gpu1",
        python=interpreter(tmp_path, script),
    )
    await started.channel.close()


@pytest.mark.parametrize("said", ["", "echo 'fatal: out of handles' >&2;"])
async def test_an_interpreter_that_ended_once_for_no_known_reason_is_tried_again(
    tmp_path: Path, said: str
) -> None:
    marker = tmp_path / "failed"
    script = f'if [ -e {marker} ]; then exec {sys.executable} "$@"; fi; touch {marker}; {said} exit 3'
    transport = LocalTransport(Endpoint("localhost"))
    started = await start_agent(transport, pack_agent(), node="gpu1", python=interpreter(tmp_path, script))
    await started.channel.close()
    assert marker.exists()


async def test_it_is_not_tried_a_third_time(tmp_path: Path) -> None:
    count = tmp_path / "count"
    await refusal(interpreter(tmp_path, f"echo x >> {count}; exit 3"))
    assert count.read_text() == "x\nx\n"
