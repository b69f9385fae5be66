"""Speed-up on paper for clusters that are not here: the measured baseline over links of a given speed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.forecast import GUIDE, METHODS, Link, Workload, forecast

#: GPUs and nodes: the guide's, and the smallest clusters.
CLUSTERS = ((2, 1), (2, 2), *((gpus, nodes) for gpus, nodes, _ in GUIDE[1:]))
#: Gbit/s and round trip in seconds of what people have between their machines.
NETWORKS = ((1, 300e-6), (2.5, 200e-6), (10, 100e-6))

Row = dict[str, Any]


def on_paper(size: str, workload: Workload) -> list[Row]:
    """Return the forecast of each cluster, network and gradient method, over gloo."""
    guide = {(gpus, nodes): speed_up for gpus, nodes, speed_up in GUIDE}
    return [
        {
            "measure": "on paper",
            "size": size,
            "gpus": gpus,
            "nodes": nodes,
            "gbit_s": gbit,
            "gradients": method.name,
            "compute_seconds": workload.compute_seconds,
            "gradient_bytes": workload.gradient_bytes,
            "speedup": forecast(
                workload, method, gpus=gpus, nodes=nodes, ring=_ring(nodes, gbit, rtt), backend="gloo"
            ).speed_up,
            "guide": guide.get((gpus, nodes)),
        }
        for gpus, nodes in CLUSTERS
        for gbit, rtt in (NETWORKS if nodes > 1 else NETWORKS[:1])
        for method in METHODS
    ]


def paper_table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, with a column per gradient method."""
    methods = [method.name for method in METHODS]
    lines = [
        "| network | GPUs | nodes | link | guide | " + " | ".join(methods) + " |",
        "| --- " * (5 + len(methods)) + "|",
    ]
    for at in range(0, len(rows), len(methods)):
        row, together = rows[at], rows[at : at + len(methods)]
        link = f"{row['gbit_s']:g} Gbit/s" if row["nodes"] > 1 else "in one machine"
        guide = f"{row['guide']:.1f}x" if row["guide"] else "-"
        speeds = " | ".join(f"{each['speedup']:.2f}x" for each in together)
        lines.append(f"| {row['size']} | {row['gpus']} | {row['nodes']} | {link} | {guide} | {speeds} |")
    return "\n".join(lines) + "\n"


def _ring(nodes: int, gbit: float, rtt: float) -> list[Link]:
    if nodes < 2:
        return []
    return [Link(f"node{at}", f"node{(at + 1) % nodes}", gbit * 1e9 / 8, rtt) for at in range(nodes)]
