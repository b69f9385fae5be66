"""Measures a preflight of many nodes against the slowest of its checks; needs no root.

Run from the project's root: ``python -m benchmarks.preflight_pace [--nodes 8] [--winrm 2] [--rounds 3]``. The
nodes are a lab's: real SSH and WinRM on loopback, all on this machine's cores. After a deploy, so that the
interpreter that will train listens and connects. Printed, the median of the rounds, in seconds:

- the whole: nothing is connected at its begin, and every check but the measuring of the network is made,
- each check alone on one node with open links: its duration when nothing delays it,
- what of the whole is processor time, and how much of it this machine's cores can give at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from fleet.deploy import DeployOptions, deploy
from fleet.events import CheckFinished
from fleet.fleet import Fleet
from fleet.inventory import Inventory, RunSettings
from fleet.preflight import AFTER, BEFORE, PreflightOptions, columns, preflight
from lab.lab import Lab


class Site:
    """A lab with something deployed to it."""

    def __init__(self, lab: Lab, inventory: Inventory) -> None:
        self.lab = lab
        self.inventory = inventory

    def fleet(self) -> Fleet:
        """Return a fleet without an open link."""
        return Fleet(self.inventory, home=self.inventory.project / ".dtui", prompts=self.lab.prompts)

    async def whole(self) -> tuple[float, dict[str, float], float]:
        """Return the seconds of all checks of all nodes, when each was done, and the processor's seconds."""
        used, begun, done = processor_seconds(), time.monotonic(), {}
        async with self.fleet() as fleet:
            async for event in preflight(fleet, fleet.nodes, PreflightOptions(checks=(*BEFORE, *AFTER))):
                if isinstance(event, CheckFinished):
                    done[event.check] = time.monotonic() - begun
            seconds = time.monotonic() - begun
        return seconds, done, processor_seconds() - used

    async def alone(self, fleet: Fleet, check: str) -> float:
        """Return the seconds of one check of the first worker, over links that are open."""
        node = self.inventory.workers[0]
        among = (self.inventory.master, node)
        begun = time.monotonic()
        async for _ in preflight(fleet, (node,), PreflightOptions(checks=(check,), among=among)):
            pass
        return time.monotonic() - begun


def processor_seconds() -> float:
    """Return what this process and those that it has waited for used; the agents belong to them."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


async def measure(nodes: int, winrm: int, rounds: int) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        project.mkdir()
        (project / "train.py").write_text("print('trained')\n", "utf-8")
        async with Lab(nodes, winrm=winrm, root=Path(folder) / "lab") as lab:
            lab.trust(project / ".dtui" / "known_hosts")
            run = RunSettings(module=None, script="train.py", config=None)
            site = Site(lab, lab.inventory(project, run=run))
            async with site.fleet() as fleet:
                async for _ in deploy(fleet, fleet.nodes, DeployOptions()):
                    pass
                names = [one.name for one in columns() if one.group != "network"]
                alone = {
                    name: statistics.median([await site.alone(fleet, name) for _ in range(rounds)])
                    for name in names
                }
            wholes = [await site.whole() for _ in range(rounds)]
    seconds, done, used = sorted(wholes)[rounds // 2]
    slowest = max(alone, key=lambda name: alone[name])
    print(f"{'check':18} {'alone':>9} {'done at':>9}")
    for name in names:
        print(f"{name:18} {alone[name]:9.2f} {done[name]:9.2f}")
    print(f"{nodes} nodes and the master: {seconds:.2f} s; the slowest check alone, {slowest}: ", end="")
    print(f"{alone[slowest]:.2f} s; so {seconds - alone[slowest]:.2f} s more than it")
    cores = os.cpu_count() or 1
    print(f"{used:.2f} s of processor time: on {cores} cores no less than {used / cores:.2f} s")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--winrm", type=int, default=2, help="how many of them use WinRM")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.nodes, chosen.winrm, chosen.rounds))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
