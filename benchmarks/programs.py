"""``dtui launch`` against torchrun over ssh: ``python -m benchmarks.programs [--rounds 20] [--ranks 1 2]``.

Two nodes on loopback, the master and a worker behind a real sshd, train a small network with DDP over gloo
on CPUs, with one thread per rank. The runs of each round alternate, and each ratio is of runs of one round.
For each number of ranks per node, the table has the seconds to the first line that a rank prints, as the user
sees it, and the milliseconds of a step, as rank 0 measures them.

dtui launches through a fleet with open connections, as the console does, after one deploy: all checks of a
launch are part of its time. The run controller, which the first launch starts, keeps the runs. torchrun
starts on both nodes at the same moment, on the worker through OpenSSH's client. The table has fewer rounds
than were asked for if they take longer than ``--minutes``. On 2 idle cores 20 rounds with 1 and 2 ranks per
node take about 8 minutes, with 4 about as long: measure these separately.
Needs torch, openssh-server and openssh-client.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import random
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deploy import sshd
from fleet import commands
from fleet.deploy import DeployOptions
from fleet.events import CheckFinished, Event, LogChunk, Notice, RankStarted, RunFinished, StageChanged
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node, RunSettings
from fleet.runs import LaunchOptions
from fleet.runs.steps import RunToEnd
from fleet.steps import Job, run_steps
from lab.addresses import AddressBlock
from lab.rendezvous import RendezvousPort
from tui.operations.run_controller import controller_keeper

#: Prints before it imports torch: the first line is that of a program that has only been started.
PROGRAM = """
print("first line", flush=True)
import json, statistics, sys, time
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

steps = int(sys.argv[1])
torch.set_num_threads(1)  # the two nodes share the cores of one machine
dist.init_process_group("gloo")
torch.manual_seed(0)
network = torch.nn.Sequential(*(torch.nn.Linear(256, 256) for _ in range(6)))
model = DistributedDataParallel(network)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
inputs = torch.randn(64, 256)
seconds = []
for step in range(steps + 10):
    began = time.perf_counter()
    optimizer.zero_grad()
    model(inputs).square().mean().backward()
    optimizer.step()
    seconds.append(time.perf_counter() - began)
if dist.get_rank() == 0:
    print(json.dumps({"step_ms": statistics.median(seconds[10:]) * 1e3}), flush=True)
dist.destroy_process_group()
"""
_FIRST = b"first line"
_RESAMPLES = 4000


@dataclass(frozen=True)
class Measured:
    """A run: seconds to the first line of a rank, and milliseconds per step."""

    first: float
    step: float


@dataclass(frozen=True)
class Site:
    """Two nodes: a master whose project is ``source``, and a worker behind an sshd."""

    source: Path
    target: Path
    keys: Path
    port: int
    master_address: str
    worker_address: str
    rendezvous: int

    def inventory(self, ranks: int, steps: int) -> Inventory:
        """Return the nodes with so many ranks each."""
        master = Node(
            name="master", address=self.master_address, transport="local", project=str(self.source),
            environment="existing", interpreter=sys.executable, python=sys.executable, processes=ranks,
        )  # fmt: skip
        worker = Node(
            name="gpu1", address=self.worker_address, transport="ssh", project=str(self.target),
            environment="existing", interpreter=sys.executable, python=sys.executable, processes=ranks,
            port=self.port, user=getpass.getuser(), identity=self.keys / "user",
        )  # fmt: skip
        run = RunSettings(
            module=None, script="program.py", args=(str(steps),), port=self.rendezvous, backend="gloo"
        )
        return Inventory(project=self.source, master=master, workers=(worker,), run=run)

    def torchrun(self, node_rank: int, ranks: int, steps: int) -> list[str]:
        """Return the command for a node: this machine's shell, or ssh to the worker."""
        folder = self.target if node_rank else self.source
        command = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", str(node_rank),
            "--nproc-per-node", str(ranks), "--master-addr", self.master_address,
            "--master-port", str(self.rendezvous), "program.py", str(steps),
        ]  # fmt: skip
        line = f"cd {shlex.quote(str(folder))} && exec {shlex.join(command)}"
        if not node_rank:
            return ["sh", "-c", line]
        known = self.keys / "known_hosts"
        options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known}", "-i", str(self.keys / "user")]
        return ["ssh", "-p", str(self.port), *options, f"{getpass.getuser()}@{self.worker_address}", line]


async def launched(fleet: Fleet, site: Site, *, trace: bool = False) -> Measured:
    """Launch with dtui to the end of the run."""
    began = time.perf_counter()
    first, text = 0.0, b""
    job = Job(fleet, fleet.nodes, cpu=True, shell=os.environ)
    events: list[Event] = []
    outcome = ""
    start = RunToEnd(LaunchOptions(), keeper=controller_keeper())
    async with aclosing(run_steps(job, commands.launch(start))) as stream:
        async for event in stream:
            events.append(event)
            if trace:
                _show(time.perf_counter() - began, event)
            if isinstance(event, LogChunk):
                if not first and _FIRST in event.data:
                    first = time.perf_counter() - began
                if event.rank == 0:
                    text += event.data
            elif isinstance(event, RunFinished):
                outcome = event.outcome
    if outcome != "succeeded" or not first:
        faults = [event for event in events if isinstance(event, Notice | RunFinished)]
        raise SystemExit(f"dtui launch: {outcome or 'not started'}: {faults} {text!r}")
    return Measured(first, _step_ms(text))


def _show(at: float, event: Event) -> None:
    if isinstance(event, StageChanged):
        print(f"    {at:6.3f} s  {event.node} {event.stage} {event.state}")
    elif isinstance(event, CheckFinished | RankStarted | LogChunk | RunFinished):
        check = f" {event.check} {event.status}" if isinstance(event, CheckFinished) else ""
        print(f"    {at:6.3f} s  {type(event).__name__}{check}")


async def torchrun(site: Site, ranks: int, steps: int) -> Measured:
    """Start torchrun on both nodes at the same moment and wait for its end."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    began = time.perf_counter()
    processes = await asyncio.gather(
        *(
            asyncio.create_subprocess_exec(
                *site.torchrun(node, ranks, steps), stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, env=environment,
            )
            for node in range(2)
        )
    )  # fmt: skip
    first = 0.0

    async def read(process: asyncio.subprocess.Process) -> bytes:
        nonlocal first
        assert process.stdout is not None
        text = b""
        while piece := await process.stdout.read(65536):
            text += piece
            if not first and _FIRST in text:
                first = time.perf_counter() - began
        return text

    async def errors(process: asyncio.subprocess.Process) -> bytes:
        assert process.stderr is not None
        return await process.stderr.read()

    texts = await asyncio.gather(*map(read, processes), *map(errors, processes))
    codes = [await process.wait() for process in processes]
    if codes != [0, 0] or not first:
        raise SystemExit(f"torchrun: {codes}: {b''.join(texts)[-2000:].decode('utf-8', 'replace')}")
    return Measured(first, _step_ms(texts[0]))


def _step_ms(text: bytes) -> float:
    line = next(line for line in text.splitlines() if line.startswith(b"{"))
    return float(json.loads(line)["step_ms"])


@asynccontextmanager
async def deployed(site: Site, ranks: int, steps: int) -> AsyncIterator[Fleet]:
    """Yield a connected fleet whose nodes have the project."""
    async with Fleet(site.inventory(ranks, steps), home=site.source / ".dtui") as fleet:
        job = Job(fleet, fleet.nodes, cpu=True, shell=os.environ)
        async with aclosing(run_steps(job, commands.deploy(DeployOptions()))) as events:
            async for event in events:
                if isinstance(event, Notice) and event.level == "error":
                    raise SystemExit(f"deploy: {event}")
        yield fleet


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the bootstrap's 95% confidence interval of the median of the rounds' ratios."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    return medians[int(0.025 * _RESAMPLES)], medians[int(0.975 * _RESAMPLES)]


def row(what: str, unit: str, pairs: Sequence[tuple[float, float]]) -> str:
    """Return a line of the table: dtui's and torchrun's medians, and the median of the rounds' ratios."""
    ratios = [dtui / other for dtui, other in pairs]
    low, high = interval(ratios)
    medians = [statistics.median(values) for values in zip(*pairs, strict=True)]
    cells = " | ".join(f"{value:.2f} {unit}" for value in medians)
    return f"| {what} | {cells} | {statistics.median(ratios):.3f} | {low:.3f} to {high:.3f} |"


async def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2], help="ranks per node")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=9.0, help="limit of the whole measurement")
    parser.add_argument("--trace", action="store_true", help="print when each event of a launch arrives")
    options = parser.parse_args()
    block, port = AddressBlock(), RendezvousPort()
    rows = []
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dtui-benchmark-") as text:
        folder = Path(text)
        source, keys = folder / "source", folder / "keys"
        keys.mkdir()
        (source / ".dtui").mkdir(parents=True, mode=0o700)
        (source / "program.py").write_text(PROGRAM, encoding="utf-8")
        with sshd(keys, block.node(0)) as ssh_port:
            (source / ".dtui/known_hosts").write_bytes((keys / "known_hosts").read_bytes())
            site = Site(source, folder / "target", keys, ssh_port, block.master, block.node(0), port.number)
            for number, ranks in enumerate(options.ranks, 1):
                began = time.monotonic()
                # More ranks take longer: the time is shared in proportion to them.
                share = sum(options.ranks[:number]) / sum(options.ranks)
                deadline = begun + 60 * options.minutes * share
                pairs: list[tuple[Measured, Measured]] = []
                async with deployed(site, ranks, options.steps) as fleet:
                    # The first run of each kind fills caches and is not counted.
                    for turn in range(-1, options.rounds):
                        if pairs and time.monotonic() > deadline:
                            break
                        ours: Measured | None = None
                        theirs: Measured | None = None
                        for name in ("dtui", "torchrun") if turn % 2 else ("torchrun", "dtui"):
                            if name == "dtui":
                                ours = await launched(fleet, site, trace=options.trace)
                            else:
                                theirs = await torchrun(site, ranks, options.steps)
                        if turn >= 0 and ours is not None and theirs is not None:
                            pairs.append((ours, theirs))
                        if options.trace:
                            print(f"  round {turn}: dtui {ours}, torchrun {theirs}", flush=True)
                of = f"{ranks} rank{'s' if ranks > 1 else ''} per node (n = {len(pairs)})"
                rows.append(
                    row(f"first output, {of}", "s", [(one.first, other.first) for one, other in pairs])
                )
                rows.append(row(f"step, {of}", "ms", [(one.step, other.step) for one, other in pairs]))
                print(f"{of}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    port.release()
    block.release()
    print(f"`python -m benchmarks.programs {' '.join(sys.argv[1:])}`\n")
    print("| | dtui | torchrun | ratio | 95% interval |\n|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    asyncio.run(main())
