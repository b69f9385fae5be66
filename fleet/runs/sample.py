"""A plan drawn by a run's network, on the node of its rank 0: where the checkpoints are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path, PurePosixPath

from fleet.errors import FleetError
from fleet.events import Event, EventFormatError, MetricsSeen, Notice, PlanDrawn, from_json
from fleet.fleet import Fleet
from fleet.plan import RunPlan
from fleet.runs.store import RunStore

#: Torch alone may take a minute to load from a cold disk; a plan takes seconds on a GPU.
PATIENCE = 600.0


class SampleFailed(FleetError):
    """No plan came of it."""


async def sample(
    fleet: Fleet, run: str, text: str, out: Path, *, best: bool = False, seed: int = 0,
    patience: float = PATIENCE,
) -> AsyncGenerator[Event, None]:  # fmt: skip
    """Draw a plan for ``text`` by the run's newest checkpoint, or its ``best``; write it to ``out`` as PNG.

    Yields Notices and last a PlanDrawn. The run's program is started as ``<module>.sample`` by the node's
    training interpreter. Raises NoSuchRun and FleetError.
    """
    store = RunStore(fleet.home, run)
    plan = store.plan()
    part = plan.nodes[0]
    module = _module(plan)
    folder = await asyncio.to_thread(_checkpoints, store)
    argv = ["-m", f"{module}.sample", f"--text={text}", "--out", "{out}", "--checkpoint", folder]
    argv += ["--device", "cpu" if plan.cpu else "auto", "--seed", str(seed), *(["--best"] if best else [])]
    try:
        node = fleet.inventory.node(part.node)
    except KeyError:
        raise SampleFailed(
            f"{part.node}, which has the checkpoints of run {run}, is not in the inventory any more",
            remedy="add it again",
        ) from None
    yield Notice(
        node=node.name,
        at=fleet.clock(),
        level="info",
        text=f"drawing a plan with {'the best of ' * best}{folder}",
    )
    link = await fleet.link(node)
    data = bytearray()
    async with link.request(
        "program", project=node.project, argv=argv, suffix=".png", interpreter=node.interpreter,
        env=_devices(plan), seconds=patience,
    ) as request:  # fmt: skip
        await request.end()
        async for item in request:
            data += item.payload
    result = request.result
    if result["status"] != 0 or result["size"] is None:
        raise _failure(node.name, f"{module}.sample", result["status"], result["tail"])
    try:
        await asyncio.to_thread(_write, out, bytes(data))
    except OSError as error:
        raise SampleFailed(f"{out} can't be written: {error.strerror or error}") from None
    yield PlanDrawn(node=node.name, at=fleet.clock(), run=run, text=text, path=str(out))


def _module(plan: RunPlan) -> str:
    """Return the module that the ranks run; a launcher's own stands before it."""
    argv = plan.nodes[0].processes[0].argv
    modules = [argv[at + 1] for at, word in enumerate(argv[:-1]) if word == "-m"]
    if not modules or modules[-1].startswith("accelerate."):
        raise SampleFailed(
            f"run {plan.run} started a script of its own, and dtui does not know how that draws",
            remedy="runs of a module that has a `sample` of its own can, as `trainer` has",
        )
    return modules[-1]


def _devices(plan: RunPlan) -> dict[str, str]:
    """Return which GPUs the ranks were given, so that the drawing uses no other."""
    env = plan.nodes[0].processes[0].env
    return {name: env[name] for name in ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES") if name in env}


def _checkpoints(store: RunStore) -> str:
    """Return the run's folder of checkpoints as its program told it, else where the trainer has it."""
    folder = f"checkpoints/{store.run}"
    if store.events_file.exists():
        with store.events_file.open("rb") as file:
            for line in file:
                # A recording is mostly log lines and steps: only what may tell of a checkpoint is read.
                if b'"ckpt"' in line:
                    folder = _told(line) or folder
    return folder


def _told(line: bytes) -> str:
    try:
        event = from_json(line.decode("utf-8", "replace"))
    except EventFormatError:
        return ""
    record = event.record if isinstance(event, MetricsSeen) else {}
    path = record.get("path")
    if record.get("kind") != "ckpt" or not isinstance(path, str):
        return ""
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def _failure(node: str, module: str, status: int, tail: Sequence[str]) -> SampleFailed:
    """Return what the program's last lines say, as far as they say it to a person."""
    missing = [line for line in tail if f"No module named {module}" in line or "No module named '" in line]
    if missing:
        return SampleFailed(
            f"{module} does not start: {missing[-1].strip()}", node=node, remedy="deploy to this node again"
        )
    remedies = [line.strip()[2:].strip() for line in tail if line.strip().startswith("->")]
    said = [line.strip() for line in tail if line.strip() and not line.strip().startswith("->")]
    what = said[-1] if said else f"it ended with status {status} and said nothing"
    return SampleFailed(f"no plan was drawn: {what}", node=node, remedy=remedies[-1] if remedies else "")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(data)
    beside.replace(path)
