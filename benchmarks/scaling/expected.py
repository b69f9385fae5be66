"""dtui's forecast of a cell, from the network's baseline and the measured route between nodes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from msgspec.structs import asdict, replace

from benchmarks.scaling.cells import Cell
from benchmarks.scaling.measure import Bench, Measured
from benchmarks.scaling.project import Load
from fleet.errors import FleetError
from fleet.events import PairProbed
from fleet.forecast import METHODS, Link, Method, Workload, find_workload, forecast, ring_links
from fleet.forecast.links import links_of
from fleet.preflight import PreflightOptions, preflight

_METHODS = {method.name: method for method in METHODS}


class Expectations:
    """Remembers each network's baseline and the links between nodes. ``home`` is the project's ``.dtui``."""

    def __init__(self, bench: Bench, home: Path, load: Load) -> None:
        self._bench, self._home, self._load = bench, home, load
        self._bases: dict[str, tuple[Measured, Workload | None]] = {}
        self._rings: dict[int, list[Link]] = {}

    def base(self, cell: Cell) -> Measured | None:
        """Return the run of the cell's network on one rank."""
        known = self._bases.get(cell.size)
        return known[0] if known else None

    @property
    def workloads(self) -> dict[str, Workload]:
        """What each network's baseline has shown."""
        return {size: workload for size, (_, workload) in self._bases.items() if workload is not None}

    async def of(self, measured: Measured) -> float | None:
        """Return the images a second that were to be expected; None for a baseline, or without one."""
        cell = measured.cell
        if cell.world == 1:
            self._bases[cell.size] = (measured, self._workload(measured))
            return None
        _, workload = self._bases.get(cell.size, (None, None))
        if workload is None:
            return None
        nodes = len(cell.shares)
        if nodes not in self._rings:
            self._rings[nodes] = await self._measure_ring(cell)
        return images_a_second(cell, self._load, workload, self._rings[nodes])

    def _workload(self, base: Measured) -> Workload | None:
        """Return the workload of the newest run, which is the baseline."""
        try:
            return find_workload(self._home, step_seconds=base.figures.step_time)
        except FleetError:
            return None

    async def _measure_ring(self, cell: Cell) -> list[Link]:
        """Measure the routes between the nodes as ``dtui forecast`` does."""
        probed = []
        fleet, nodes = self._bench.fleet(cell)
        options = PreflightOptions(checks=("bandwidth",), cpu=not any(cell.shares))
        async with fleet, aclosing(preflight(fleet, nodes, options)) as events:
            async for event in events:
                if isinstance(event, PairProbed):
                    probed.append(event)
        # Allows to compute the forecast again from the output of a machine that is no longer available.
        print(
            json.dumps({"measure": "links", "links": [asdict(link) for link in links_of(probed).values()]}),
            flush=True,
        )
        return ring_links([node.name for node in nodes], links_of(probed))


def images_a_second(cell: Cell, load: Load, workload: Workload, ring: Sequence[Link]) -> float:
    """Return the forecast of the cell's speed.

    Ranks that share a processor wait for each other. NCCL sees that the nodes are one machine, and does
    not take the network.
    """
    crowded = replace(workload, compute_seconds=workload.compute_seconds * cell.world / cell.devices)
    nodes = len(cell.shares)
    expected = forecast(
        crowded,
        _method(cell, load),
        gpus=cell.world,
        nodes=nodes,
        ring=ring if cell.backend == "gloo" else (),
        backend=cell.backend,
    )
    return cell.world * load.batch / expected.step_seconds


def _method(cell: Cell, load: Load) -> Method:
    if cell.gradients == "diloco":
        return replace(_METHODS["low"], every=load.diloco_steps)
    return _METHODS[cell.gradients]
