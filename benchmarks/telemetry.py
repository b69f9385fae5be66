"""Telemetry compared with ``nvidia-smi`` on a real GPU: ``python -m benchmarks.telemetry [--record DIR]``.

Needs an NVIDIA GPU, torch, nvidia-ml-py and psutil; takes about two minutes. JSON lines on stdout:

``machine``   what it ran on
``open``      seconds from nothing to the first sample, with opening the driver
``fields``    our sample against nvidia-smi's of the same second, field by field, under each load
``cost``      processor time of each sampler at one sample per second, in percent of one core
``wire``      bytes of each sample on the wire, header included
``effect``    the training loop's steps per second with each sampler
``call``      seconds of each NVML function, the median of 20 calls
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import psutil

from agent.deltas import Decoder
from agent.sampler.nvidia_smi import COLUMNS, parse_gpus
from agent.wire.frames import Item, encode
from agent.wire.operations import PROBE, TELEMETRY
from benchmarks.telemetry_nvml import record_nvml, time_nvml
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from transports.base import Endpoint
from transports.local.transport import LocalTransport

FIELDS = ("util", "memory_util", "memory_used", "power", "temperature", "clock", "clock_memory")
QUERY = "--query-gpu=" + ",".join(column[0] for column in COLUMNS)
FORMAT = "--format=csv,noheader,nounits"
NVITOP = """
import time
from nvitop import Device
devices = Device.all()
assert devices, "nvitop sees no GPU"
while True:
    for device in devices:
        device.as_snapshot(); device.processes()
    time.sleep(1)
"""

Sample = dict[str, Any]


def report(measure: str, **values: Any) -> None:
    """Print one line of result."""
    print(json.dumps({"measure": measure, **values}), flush=True)


def cpu_seconds(process: psutil.Process) -> float:
    """Return the processor time of a process with its children, in nanoseconds on Linux."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error, OSError):
            tasks = Path(f"/proc/{each.pid}/task").glob("*/schedstat")
            spent = [int(task.read_text().split()[0]) / 1e9 for task in tasks]
            total += sum(spent) if any(spent) else sum(each.cpu_times()[:2])
    return total


class Load:
    """A running load; ``rate`` is its steps a second since it was asked last."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._process: subprocess.Popen[str] | None = None
        if kind != "idle":
            command = [sys.executable, "-m", "benchmarks.telemetry_load", kind]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self._answer()

    @property
    def pid(self) -> int | None:
        """The load's process."""
        return self._process.pid if self._process else None

    def rate(self) -> float | None:
        """Return the steps a second since the last call."""
        if self._process is None or self._process.stdin is None:
            return None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        steps, seconds = map(float, self._answer().split())
        return steps / seconds

    def close(self) -> None:
        """End the load."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the load {self.kind} ended with status {self._process.wait()}")
        return line


@contextmanager
def load(kind: str) -> Iterator[Load]:
    """Run a load for as long as the block."""
    running = Load(kind)
    try:
        yield running
    finally:
        running.close()


@asynccontextmanager
async def agent() -> AsyncIterator[AgentClient]:
    """An agent on this machine, as on a node."""
    started = await start_agent(
        LocalTransport(Endpoint("localhost")), pack_agent(), node="here", python=sys.executable
    )
    client = await AgentClient.open(started.channel, node="here", head=started.head)
    try:
        yield client
    finally:
        await client.close()


async def samples(client: AgentClient, count: int | None) -> AsyncGenerator[tuple[float, Sample, int], None]:
    """Yield when, what and how many bytes on the wire, once a second."""
    decoder = Decoder()
    async with client.request(TELEMETRY, {"interval": 1.0, "count": count}) as request:
        await request.end()
        async for item in request:
            size = len(encode(Item(request.number, item.body), item.payload))
            yield time.time(), decoder.decode(item.body, item.payload), size


async def compare(kind: str, seconds: int, pid: int | None) -> None:
    """Sample with both concurrently and report the differences of the nearest pairs."""
    theirs: list[tuple[float, Sample]] = []
    await asyncio.sleep(0.9 - time.time() % 1 if time.time() % 1 < 0.9 else 0)  # so that both tick together
    process = await asyncio.create_subprocess_exec(
        "nvidia-smi", QUERY, FORMAT, "--loop=1", stdout=asyncio.subprocess.PIPE
    )

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            for gpu in parse_gpus(line.decode())[0]:
                if gpu["index"] == 0:
                    theirs.append((time.time(), gpu))

    reader = asyncio.create_task(read())
    async with agent() as client:
        taken = [each async for each in samples(client, seconds)]
    process.kill()
    await process.wait()
    await reader
    ours = [(at, sample["gpus"][0]) for at, sample, _ in taken[1:] if not sample["stale"]]
    sizes = [size for _, _, size in taken]
    report("wire", load=kind, first=sizes[0], mean=mean(sizes[1:]), largest=max(sizes[1:]))
    for field in FIELDS:
        report("fields", load=kind, field=field, **_differences(ours, theirs, field))
    seen = pid is None or any(process["pid"] == pid for _, gpu in ours for process in gpu["processes"] or ())
    rates = {key: ours[-1][1][key] for key in ("pcie_rx", "pcie_tx", "nvlink_rx", "nvlink_tx")}
    unknown = sorted(key for key, value in ours[-1][1].items() if value is None)
    report("seen", load=kind, load_process_listed=seen, rates=rates, unknown=unknown)


def _differences(ours: list[Any], theirs: list[Any], field: str) -> dict[str, Any]:
    pairs = []
    for at, gpu in ours:
        near = min(theirs, key=lambda other: abs(other[0] - at), default=None)
        if near is not None and abs(near[0] - at) < 0.6 and None not in (gpu[field], near[1][field]):
            pairs.append((gpu[field], near[1][field], abs(near[0] - at)))
    if not pairs:
        return {"pairs": 0}
    apart = [abs(mine - other) for mine, other, _ in pairs]
    return {
        "pairs": len(pairs),
        "ours": round(mean(mine for mine, _, _ in pairs), 2),
        "theirs": round(mean(other for _, other, _ in pairs), 2),
        "mean_difference": round(mean(apart), 2),
        "largest_difference": round(max(apart), 2),
        "seconds_apart": round(mean(gap for *_, gap in pairs), 3),
    }


async def cost_of_dtui(seconds: int) -> float:
    """Return the processor seconds of the agent and its sampler over ``count`` samples."""
    async with agent() as client:
        process = psutil.Process(client.hello.pid)
        spent: list[float] = []
        async with aclosing(samples(client, None)) as stream:
            async for _ in stream:
                spent.append(cpu_seconds(process))
                if len(spent) > seconds:
                    break
        return spent[-1] - spent[0]  # opening the driver is another measure


async def cost_of_process(command: list[str], seconds: int) -> float:
    """Return the processor seconds of a program that keeps sampling, without its start."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        watched = psutil.Process(process.pid)
        await asyncio.sleep(3.0)
        first = cpu_seconds(watched)
        await asyncio.sleep(seconds)
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode} and sampled nothing")
        return cpu_seconds(watched) - first
    finally:
        process.kill()
        process.wait()


async def cost_of_spawning(seconds: int) -> float:
    """Return the processor seconds of an nvidia-smi that is started each second."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(seconds):
        began = time.monotonic()
        subprocess.run(["nvidia-smi", QUERY, FORMAT], stdout=subprocess.DEVNULL, check=True)
        await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def samplers(seconds: int) -> dict[str, Callable[[], Any]]:
    """Return each sampler at one sample per second: name -> coroutine of its processor seconds."""
    loop = ["nvidia-smi", QUERY, FORMAT, "--loop=1"]
    found: dict[str, Callable[[], Any]] = {
        "none": lambda: asyncio.sleep(seconds, 0.0),
        "dtui": lambda: cost_of_dtui(seconds),
        "nvidia-smi --loop=1": lambda: cost_of_process(loop, seconds),
        "nvidia-smi each second": lambda: cost_of_spawning(seconds),
    }
    if find_spec("nvitop"):
        found["nvitop API"] = lambda: cost_of_process([sys.executable, "-c", NVITOP], seconds)
    else:
        print("nvitop is not installed, so its row is left out: pip install nvitop", file=sys.stderr)
    return found


async def measure(seconds: int, record: Path | None) -> None:
    """Run all measures."""
    smi = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True).stdout
    report("machine", gpus=smi.splitlines(), python=platform.python_version(), cores=os.cpu_count())
    began = time.monotonic()
    async with agent() as client:
        linked = time.monotonic()
        async for _, sample, _ in samples(client, 1):
            report("open", link=linked - began, first_sample=time.monotonic() - linked,
                 source=sample["source"], driver=sample["driver"], cuda=sample["cuda"])  # fmt: skip
        began = time.monotonic()
        facts = await client.call(PROBE, {"project": "", "master_address": ""})
        report("open", probe=time.monotonic() - began, gpus=len(facts["gpus"]), error=facts["gpu_error"])
    for name, spent in time_nvml().items():
        report("call", function=name, **spent)
    for kind in ("idle", "matmul", "training"):
        with load(kind) as running:
            await compare(kind, seconds, running.pid)
            if record is not None:
                record_nvml(record / f"nvml_{kind}.json")
            if kind == "matmul":
                continue
            for sampler, cost in samplers(seconds).items():
                if sampler == "none" and kind == "idle":
                    continue
                running.rate()
                spent = await cost()
                rate = running.rate()
                if sampler != "none":
                    report("cost", load=kind, sampler=sampler, seconds=seconds, cpu_seconds=round(spent, 4),
                         percent_of_core=round(100 * spent / seconds, 3))  # fmt: skip
                if rate is not None:
                    report("effect", load=kind, sampler=sampler, steps_per_second=round(rate, 3))


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=8, help="of each measure (default: 8)")
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="keep NVML's answers, as in tests/facts/recorded"
    )
    args = parser.parse_args()
    if args.record is not None:
        args.record.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    asyncio.run(measure(args.seconds, args.record))
    report("total", seconds=round(time.monotonic() - began, 1))


if __name__ == "__main__":
    main()
