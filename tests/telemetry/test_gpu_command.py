"""``dtui gpu`` as a person runs it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.wire.message import message, to_data
from fleet.telemetry.history import HistoryWriter
from tests.telemetry.conftest import FakeNvidiaSmi
from tests.telemetry.samples import gpu, sample
from tui.cli.gpu_table import table
from tui.i18n import Texts

COMMAND = (sys.executable, "-m", "tui", "gpu")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def environment(nvidia_smi: FakeNvidiaSmi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(2)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=project, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_an_inventory_this_machine_is_shown(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    master, indicators, first, second = result.stdout.splitlines()[:4]
    assert master.startswith("master   CPU ")
    assert "driver 551.86" in master
    assert "memory" in indicators
    assert first.split()[:4] == ["0", "RTX", "4090", "0%"]
    assert "1.8/24.0 GiB" in second
    assert second.endswith("python 4711")


def test_lights_and_remarks_are_said_in_korean(tmp_path: Path) -> None:
    result = run(tmp_path, "--lang", "ko")
    assert "메모리: " in result.stdout.splitlines()[1]
    throttled = gpu(throttle=0x040, ecc_uncorrected=3)
    stale = sample(throttled, stale=True, gpu_age=42.0, error=None)
    lines = table({"gpu1": stale}, {}, Texts("ko"))
    assert lines[0].endswith("GPU 값이 42초 동안 갱신되지 않았습니다: 응답 없음")
    assert lines[1].endswith("메모리 오류 3개")


def test_errors_of_a_driver_and_of_a_gpu_are_in_korean() -> None:
    reset = message("gpu.reset-required", "the GPU must be reset; restart the node")
    silent = message("gpu.driver-silent", "the GPU driver does not answer")
    broken = sample(gpu(error=to_data(reset)), stale=True, gpu_age=42.0, error=to_data(silent))
    node, gpu_line = table({"gpu1": broken}, {}, Texts("ko"))
    assert node.endswith("GPU 드라이버가 응답하지 않습니다")
    assert "GPU를 초기화해야 합니다" in gpu_line


def test_of_a_shared_machine_each_node_shows_its_own_gpus(tmp_path: Path) -> None:
    inventory = tmp_path / "nodes.yaml"
    inventory.write_text(
        "project: .\nmaster: {address: 127.0.0.1, gpus: [0]}\nnodes:\n"
        f"  - {{name: gpu1, address: 127.0.0.2, transport: local, gpus: [1], project: {tmp_path}/there}}\n"
    )
    result = run(tmp_path, "--inventory", str(inventory), "--json")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    told = {event["node"]: [gpu["index"] for gpu in event["sample"]["gpus"]] for event in events}
    assert told == {"master": [0], "gpu1": [1]}
    assert all(event["sample"]["cpu"]["util"] is not None for event in events), "rates are known"


def test_a_node_that_fails_is_named_and_the_others_are_shown(tmp_path: Path) -> None:
    inventory = tmp_path / "nodes.yaml"
    inventory.write_text(
        "project: .\nmaster: {address: 127.0.0.1}\nnodes:\n"
        "  - {name: gpu1, address: 127.0.0.2, transport: local, python: /no/such/python, project: /there}\n"
    )
    result = run(tmp_path, "--inventory", str(inventory))
    assert result.returncode == 1
    assert "gpu1: no usable Python was found" in result.stderr
    assert result.stdout.startswith("master   CPU ")


async def watched(project: Path, *, terminal: bool, tables: int) -> tuple[int, str]:
    """Watch until so many tables have come, then press Ctrl-C; return exit status and output."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "--watch", "--interval", "0.2"],
        cwd=project,
        env={**os.environ, "TERM": "xterm"},
        stdout=writer,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    output = b""
    try:
        async with asyncio.timeout(120):
            while output.count(b"python 4711") < tables:
                output += await asyncio.to_thread(os.read, reader, 1 << 16)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(120):
            # A terminal has no end of file: reading ends when nobody holds its other side.
            while data := await asyncio.to_thread(_read, reader):
                output += data
        return process.wait(30), output.decode()
    finally:
        process.kill()
        process.wait()
        os.close(reader)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
async def test_watching_goes_on_until_ctrl_c(tmp_path: Path, terminal: bool) -> None:
    status, output = await watched(tmp_path, terminal=terminal, tables=3)
    assert status == 130
    assert ("\x1b[" in output) == terminal


def test_an_endpoint_nobody_watches_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, "--prometheus", "0")
    assert result.returncode == 2
    assert "add --watch" in result.stderr


def test_what_was_kept_of_the_newest_run_is_exported(tmp_path: Path) -> None:
    for name in ("20260101-a", "20260102-b"):
        writer = HistoryWriter(tmp_path / ".dtui" / "runs" / name / "telemetry", "gpu1")
        writer.append(1e9, sample(gpu(util=len(name))))
        writer.flush()
    (tmp_path / ".dtui" / "runs" / "20260103-without").mkdir()
    result = run(tmp_path, "--export", "csv")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0].startswith("node,time,iso,cpu.util,")
    assert result.stderr == "Exported 1 sample of run 20260102-b.\n"
    assert run(tmp_path, "--export", "json", "--run", "20260101-a").returncode == 0
    missing = run(tmp_path, "--export", "json", "--run", "20260103-without")
    assert missing.returncode == 2
    assert "has no telemetry of run 20260103-without" in missing.stderr
