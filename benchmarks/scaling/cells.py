"""The measured cells: one cell is one run with its ranks, network, backend and gradient method."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from msgspec import Struct

#: The trainer's networks.
SIZES = ("tiny", "S/16", "S/8", "B/16")
Backend = Literal["nccl", "gloo"]
#: How gradients are exchanged: in full, as halves, or only every few steps (DiLoCo).
GRADIENTS = ("fp32", "fp16", "diloco")
BACKENDS: tuple[Backend, ...] = ("nccl", "gloo")
#: The GPUs of a node, numbered as NVML does; empty for a node that trains on the CPU.
Share = tuple[int, ...]


class Cell(Struct, frozen=True, kw_only=True):
    """One run. ``shares`` has an entry a node: its GPUs, a rank each, or none and one rank on the CPU."""

    size: str
    world: int
    backend: Backend
    gradients: str
    shares: tuple[Share, ...]

    @property
    def devices(self) -> int:
        """How many processors compute: ranks that share a GPU do not make it two."""
        used = {gpu for share in self.shares for gpu in share}
        return len(used) or self.world

    def __str__(self) -> str:
        return f"{self.size} world {self.world} {self.backend} {self.gradients}"


class Grid(Struct, frozen=True, kw_only=True):
    """The cells to measure; ``gpus`` are this machine's, None is a run on its CPU."""

    sizes: Sequence[str]
    worlds: Sequence[int]
    backends: Sequence[Backend]
    gradients: Sequence[str]
    gpus: int | None
    cores: int
    #: All ranks on GPU 0, which only gloo can.
    share_gpu: bool = False
    nodes: int = 2

    def cells(self) -> tuple[list[Cell], list[tuple[Cell, str]]]:
        """Return what can be run here, the baseline of each size first, and the rest with the reason."""
        can: list[Cell] = []
        cannot: list[tuple[Cell, str]] = []
        for cell in self._all():
            reason = self._obstacle(cell)
            if reason:
                cannot.append((cell, reason))
            else:
                can.append(cell)
        return can, cannot

    def _all(self) -> list[Cell]:
        cells = []
        for size in self.sizes:
            first = self.backends[0]
            cells.append(self._cell(size, 1, first, "fp32"))
            for world in self.worlds:
                for backend in self.backends if world > 1 else ():
                    cells += [self._cell(size, world, backend, each) for each in self.gradients]
        return cells

    def _cell(self, size: str, world: int, backend: Backend, gradients: str) -> Cell:
        if self.gpus is None:
            shares: tuple[Share, ...] = ((),) * world
        elif self.share_gpu:
            shares = ((0,),) * world
        else:
            nodes = min(self.nodes, world)
            edges = [world * number // nodes for number in range(nodes + 1)]
            shares = tuple(tuple(range(*pair)) for pair in pairwise(edges))
        return Cell(size=size, world=world, backend=backend, gradients=gradients, shares=shares)

    def _obstacle(self, cell: Cell) -> str:
        if self.gpus is None:
            if cell.backend == "nccl":
                return "nccl needs GPUs"
            return f"this machine has {self.cores} cores" if cell.world > self.cores else ""
        if self.share_gpu and cell.backend == "nccl" and cell.world > 1:
            return "nccl refuses two ranks on one GPU"
        needed = max((gpu + 1 for share in cell.shares for gpu in share), default=0)
        return f"this machine has {self.gpus} GPU{'s' * (self.gpus != 1)}" if needed > self.gpus else ""
