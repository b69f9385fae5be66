"""The forecast compared with measured two-node runs on shaped links (network namespaces; root, torch).

Run from the project's root: ``python -m benchmarks.forecast [--rates 100,200,500]``. About 10 s a row.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from fleet.events import PairProbed
from fleet.forecast import METHODS, Workload, forecast, ring_links
from fleet.forecast.links import links_of
from fleet.preflight import PreflightOptions, preflight
from tests.support.namespaces import network

SCRIPT = Path(__file__).parents[1] / "tests" / "support" / "ddp_step.py"


async def row(rate: int, method: str, width: int, layers: int) -> tuple[float, float, float]:
    """Return the link's measured rate in Mbit/s, the measured and the forecast seconds a step."""
    with tempfile.TemporaryDirectory() as folder, network(Path(folder), "master", "gpu1") as net:
        for machine in net.machines.values():
            machine.shape(f"{rate}mbit")
        async with net.fleet() as nodes:
            options = PreflightOptions(checks=("network",))
            events = [event async for event in preflight(nodes, nodes.nodes, options)]
        ranks = []
        for rank, machine in enumerate(net.machines.values()):
            words = [
                f"RANK={rank}", "WORLD_SIZE=2", f"MASTER_ADDR={net['master'].address}", "MASTER_PORT=29500",
                f"GLOO_SOCKET_IFNAME={machine.device}", "USE_LIBUV=0",
            ]  # fmt: skip
            argv = [sys.executable, str(SCRIPT), str(width), str(layers), "8", method]
            ranks.append(machine.start("env", *words, *argv))
        reports = [json.loads((await asyncio.to_thread(rank.communicate, timeout=120))[0]) for rank in ranks]
    ways = [event for event in events if isinstance(event, PairProbed) and event.bytes_per_second]
    ring = ring_links(["master", "gpu1"], links_of(ways))
    workload = Workload(reports[0]["parameters"] * 4, max(one["alone"] for one in reports))
    chosen = next(one for one in METHODS if one.name == method)
    expected = forecast(workload, chosen, gpus=2, nodes=2, ring=ring).step_seconds
    return min(link.rate for link in ring) * 8 / 1e6, max(one["together"] for one in reports), expected


async def main() -> None:
    """Print a row for each rate and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="100,200,500", help="Mbit/s, separated by commas")
    chosen = parser.parse_args()
    print("| link Mbit/s | link measured | gradients | MB | measured s/step | forecast s/step | off by |")
    print("|---|---|---|---|---|---|---|")
    for rate in map(int, chosen.rates.split(",")):
        width, layers = (512, 8) if rate < 400 else (1024, 8)
        for method in ("fp32", "fp16"):
            link, measured, expected = await row(rate, method, width, layers)
            size = width * width * layers * 4 / 1e6
            print(
                f"| {rate} | {link:.0f} | {method} | {size:.1f} | {measured:.3f} | {expected:.3f} "
                f"| {expected / measured - 1:+.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    asyncio.run(main())
