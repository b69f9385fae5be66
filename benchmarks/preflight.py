"""Does a green preflight start, and a red one not? Random faults between network namespaces (root, torch).

Run from the project's root: ``python -m benchmarks.preflight [--count 50] [--seed 1]``. In each environment
three machines get zero to two faults; preflight evaluates them; then three ranks really try to form a gloo
process group and to all-reduce. Also printed: how long a preflight of 8 machines takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fleet.events import CheckFinished
from fleet.preflight import PreflightOptions, preflight
from tests.support.namespaces import Network, network

NODES = ("master", "gpu1", "gpu2")
RANKS = Path(__file__).parent / "preflight_ranks.py"
_AT_ONCE = 3


@dataclass(frozen=True)
class Fault:
    """Something that is wrong: nft rules between the machines, or a deed on them."""

    text: str
    rule: str = ""
    deed: Callable[[Network], None] | None = None


def draw(net: Network, chance: random.Random) -> list[Fault]:
    """Return none to two faults."""
    return [_one(net, chance) for _ in range(chance.choice((0, 0, 1, 1, 1, 2)))]


def _one(net: Network, chance: random.Random) -> Fault:
    source, target = chance.sample(NODES, 2)
    there = net.connections(source, target)
    ports = {
        "29500": "tcp dport 29500",
        "29503": "tcp dport 29503",
        "dynamic ports": "tcp dport 30000-65535",
        "all ports": "meta l4proto tcp",
    }
    name = chance.choice(list(ports))
    end = chance.choice(("drop", "reject with tcp reset", "reject with icmp admin-prohibited"))
    kind = chance.choice(
        ("one way", "one way", "one way", "both", "inbound", "busy", "loss", "slow", "quiet")
    )
    if kind == "one way":
        return Fault(f"{source} -> {target} {name}: {end}", f"{there} {ports[name]} {end}")
    if kind == "both":
        back = net.connections(target, source)
        return Fault(
            f"{source} <-> {target} {name}: {end}", f"{there} {ports[name]} {end}\n{back} {ports[name]} {end}"
        )
    if kind == "inbound":
        return Fault(f"{target} drops connections", f"ip daddr {net[target].address} ct state new drop")
    if kind == "busy":
        return Fault(f"29500 is in use on {target}", deed=lambda made: made[target].listen(29500))
    if kind == "loss":
        return Fault("5 % of all packets are lost", "numgen random mod 100 < 5 drop")
    if kind == "slow":
        return Fault(f"{target} sends at 20 Mbit/s", deed=lambda made: made[target].shape("20mbit"))
    return Fault("ICMP is dropped", "meta l4proto icmp drop")


async def judged(net: Network) -> tuple[str, list[str]]:
    """Return green, yellow or red, and what was red."""
    async with net.fleet() as fleet:
        options = PreflightOptions(checks=("reach", "ports", "machine"))
        cells = [
            event
            async for event in preflight(fleet, fleet.nodes, options)
            if isinstance(event, CheckFinished)
        ]
    red = [f"{one.node} {one.check}: {one.seen}" for one in cells if one.status == "fail"]
    yellow = [one for one in cells if one.status == "warn" and one.check not in ("ram", "adapter")]
    return ("red" if red else "yellow" if yellow else "green"), red


class Ranks:
    """A process that has imported torch and forks ranks into namespaces."""

    async def start(self) -> None:
        """Import torch; takes seconds."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(RANKS), stdin=pipe, stdout=pipe
        )
        self._waiting: dict[int, asyncio.Future[bool]] = {}
        self._reader = asyncio.create_task(self._read())

    async def form(self, net: Network) -> bool:
        """Return whether three ranks joined."""
        assert self._process.stdin is not None
        number = len(self._waiting)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        ranks = [
            {"namespace": one.namespace, "interface": one.device, "master": net["master"].address}
            for one in net.machines.values()
        ]
        self._process.stdin.write(json.dumps({"number": number, "ranks": ranks}).encode() + b"\n")
        return await self._waiting[number]

    async def end(self) -> None:
        """Let the process go."""
        self._reader.cancel()
        self._process.kill()
        await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            answer = json.loads(line)
            self._waiting[answer["number"]].set_result(answer["started"])


async def environment(number: int, seed: int, ranks: Ranks, turn: asyncio.Semaphore) -> tuple[str, bool, str]:
    """Return the verdict, whether the ranks joined, and a line about both."""
    async with turn:
        chance = random.Random(seed * 1000 + number)
        with tempfile.TemporaryDirectory() as folder, network(Path(folder), *NODES) as net:
            faults = draw(net, chance)
            net.between(*(fault.rule for fault in faults if fault.rule))
            for fault in faults:
                if fault.deed:
                    fault.deed(net)
            verdict, red = await judged(net)
            started = await ranks.form(net)
    described = "; ".join(fault.text for fault in faults) or "no fault"
    line = f"{number:3} {verdict:6} {'started' if started else 'did not start':13} {described}"
    if (verdict == "red") == started:
        line += f"   <- FALSE {'RED' if started else 'GREEN'} {red}"
    print(line, flush=True)
    return verdict, started, line


async def eight() -> None:
    """Print how long a preflight of 8 machines takes, and its slowest single check of one machine."""
    for count in (2, 8):
        names = ["master", *(f"gpu{number}" for number in range(1, count))]
        with tempfile.TemporaryDirectory() as folder, network(Path(folder), *names) as net:
            begun = time.monotonic()
            verdict, _ = await judged(net)
            print(f"{count} machines: {verdict} after {time.monotonic() - begun:.1f} s")


async def main() -> None:
    """Print each environment and the shares of false greens and reds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    await eight()
    ranks, turn = Ranks(), asyncio.Semaphore(_AT_ONCE)
    await ranks.start()
    found = await asyncio.gather(
        *(environment(number, chosen.seed, ranks, turn) for number in range(chosen.count))
    )
    await ranks.end()
    not_red = [one for one in found if one[0] != "red"]
    red = [one for one in found if one[0] == "red"]
    false_green = [one for one in not_red if not one[1]]
    false_red = [one for one in red if one[1]]
    print(f"{len(found)} environments: {len(not_red)} not red, {len(red)} red")
    print(f"false green: {len(false_green)} of {len(not_red)}; false red: {len(false_red)} of {len(red)}")


if __name__ == "__main__":
    asyncio.run(main())
