"""Reading large inventories: ``python -m benchmarks.inventory [--nodes 20000]``.

Prints the seconds that libyaml's composer (``yaml.CSafeLoader``) and dtui take for the same nodes.yaml, their
ratio, and the seconds of a node set and of a workers.json with as many nodes. Each is the best of three, of
processor time, in one process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from fleet.inventory import load_inventory, load_workers_json

_ROUNDS = 3


def measure(nodes: int) -> dict[str, float]:
    """Return the seconds of each method of reading ``nodes`` nodes, by its name."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        listed, folded, workers = folder / "nodes.yaml", folder / "set.yaml", folder / "workers.json"
        addresses = [f"10.{n // 65536}.{n // 256 % 256}.{n % 256}" for n in range(1, nodes + 1)]
        text = "nodes:\n" + "".join(
            f"  - name: gpu{number}\n    address: {address}\n    port: 22\n    gpus: 4\n"
            for number, address in enumerate(addresses, 1)
        )
        listed.write_text(text, "utf-8")
        folded.write_text(f"nodes:\n  - name: gpu[1-{nodes}]\n", "utf-8")
        described = [
            {"IPAddress": address, "ComputerName": f"W{number}", "GPUCount": 4}
            for number, address in enumerate(addresses, 1)
        ]
        workers.write_text(json.dumps(described, indent=1), "utf-8")
        return {
            "libyaml compose": _best(lambda: yaml.compose(text, Loader=yaml.CSafeLoader)),
            "nodes.yaml": _best(lambda: load_inventory(listed)),
            "node set": _best(lambda: load_inventory(folded)),
            "workers.json": _best(lambda: load_workers_json(workers, project=folder)),
        }


def _best(read: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        begin = time.process_time()
        read()
        times.append(time.process_time() - begin)
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodes", type=int, default=20_000)
    nodes = parser.parse_args().nodes
    times = measure(nodes)
    for name, seconds in times.items():
        print(f"{name:16} {nodes:6} nodes {seconds:6.2f} s")
    print(f"nodes.yaml takes {times['nodes.yaml'] / times['libyaml compose']:.2f} times libyaml's compose")


if __name__ == "__main__":
    main()
