"""A plan drawn by a run's network, on the node of its rank 0: where the checkpoints are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from agent.wire.message import EMPTY, Message, message
from agent.wire.operations import PROGRAM
from agent.wire.preflight import ProgramArgs, ProgramResult
from agent.wire.reasons import system_reason
from fleet.errors import FleetError
from fleet.events import Event, MetricsSeen, Notice, PlanDrawn
from fleet.file_replacement import replace_file
from fleet.fleet import Fleet
from fleet.inventory import Node
from fleet.plan import RunPlan
from fleet.runs.record.lifecycle import read_events
from fleet.runs.store import RunStore

#: Torch alone may take a minute to load from a cold disk; a plan takes seconds on a GPU.
TIMEOUT = 600.0
#: Seconds after the program's own limit until the request is cancelled.
_MARGIN = 30.0
#: Bytes and pixels of a picture. The trainer's plans have a few thousand of both.
LARGEST = 64 << 20
_WIDEST = 16_384
_PNG = b"\x89PNG\r\n\x1a\n"
#: Bytes of output and number of items that the node may send before the picture.
_MOST_OUTPUT = 16 << 20
_MOST_ITEMS = 100_000
_LONGEST_PATH = 1024


class SampleFailed(FleetError):
    """The run's program drew no plan."""


async def sample(
    fleet: Fleet, run: str, text: str, out: Path, *, best: bool = False, seed: int = 0,
    timeout: float = TIMEOUT,
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
            message(
                "sample.left-inventory",
                "{node}, which has the checkpoints of run {run}, is no longer in the inventory",
                node=part.node,
                run=run,
            ),
            remedy=message(
                "sample.left-inventory.remedy", "add {node} to the inventory again", node=part.node
            ),
        ) from None
    if best:
        begun = message(
            "sample.drawing-best", "drawing a plan with the best checkpoint of {folder}", folder=folder
        )
    else:
        begun = message(
            "sample.drawing", "drawing a plan with the newest checkpoint of {folder}", folder=folder
        )
    yield Notice(node=node.name, at=fleet.clock(), level="info", text=begun)
    args: ProgramArgs = {
        "project": node.project,
        "node": node.name,
        "argv": argv,
        "suffix": ".png",
        "interpreter": node.interpreter,
        "env": _devices(plan),
        "seconds": timeout,
    }
    try:
        async with asyncio.timeout(timeout + _MARGIN):
            data, result = await _run(fleet, node, args)
    except TimeoutError:
        raise SampleFailed(
            message(
                "sample.late",
                "the node did not finish its answer within {seconds:duration}",
                seconds=timeout + _MARGIN,
            ),
            node=node.name,
        ) from None
    size = result["size"]
    if result["status"] != 0 or size is None:
        raise _failure(node.name, f"{module}.sample", result["status"], result["tail"])
    _check_picture(node.name, data, size)
    try:
        await asyncio.to_thread(_write, out, data)
    except OSError as error:
        raise SampleFailed(
            message(
                "sample.not-written",
                "cannot write {path}: {error}",
                path=str(out),
                error=system_reason(error),
            )
        ) from None
    yield PlanDrawn(node=node.name, at=fleet.clock(), run=run, text=text, path=str(out))


def _module(plan: RunPlan) -> str:
    """Return the module that the ranks run; a launcher's module precedes it."""
    argv = plan.nodes[0].processes[0].argv
    modules = [argv[at + 1] for at, word in enumerate(argv[:-1]) if word == "-m"]
    if not modules or modules[-1].startswith("accelerate."):
        raise SampleFailed(
            message(
                "sample.script",
                "run {run} started a script, and dtui can draw only with a module",
                run=plan.run,
            ),
            remedy=message(
                "sample.script.remedy",
                "draw with the run of a module that has a submodule `sample`, such as `trainer`",
            ),
        )
    return modules[-1]


def _devices(plan: RunPlan) -> dict[str, str]:
    """Return which GPUs the ranks were given, so that the drawing uses no other."""
    env = plan.nodes[0].variables | plan.nodes[0].processes[0].env
    return {name: env[name] for name in ("CUDA_DEVICE_ORDER", "CUDA_VISIBLE_DEVICES") if name in env}


async def _run(fleet: Fleet, node: Node, args: ProgramArgs) -> tuple[bytes, ProgramResult]:
    """Run the program on the node; return what it wrote and how it ended. Raises FleetError."""
    link = await fleet.link(node)
    data = bytearray()
    output = items = 0
    async with link.request(PROGRAM, args) as request:
        await request.end()
        async for item in request:
            data += item.payload
            output += len(item.body["text"] or "")
            items += 1
            if len(data) > LARGEST:
                raise SampleFailed(
                    message("sample.too-large", "the node sent more than {size:bytes}", size=LARGEST),
                    node=node.name,
                )
            if output > _MOST_OUTPUT or items > _MOST_ITEMS:
                raise SampleFailed(
                    message("sample.endless", "the program does not stop printing"), node=node.name
                )
        return bytes(data), request.result


def _check_picture(node: str, data: bytes, size: int) -> None:
    """Raise SampleFailed unless ``data`` is a PNG of ``size`` bytes and of a sensible width and height."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if len(data) != size:
        what = message("sample.cut", "{got} of {size:n byte} arrived", got=len(data), size=size)
    elif not data.startswith(_PNG) or data[12:16] != b"IHDR":
        what = message("sample.not-png", "the node sent a file that is not a PNG image")
    elif not (0 < width <= _WIDEST and 0 < height <= _WIDEST):
        what = message(
            "sample.too-wide",
            "the image has {width} x {height} pixels; at most {most} x {most} are accepted",
            width=width,
            height=height,
            most=_WIDEST,
        )
    else:
        return
    remedy = message("sample.image.remedy", "check what the program's `sample` writes on {node}", node=node)
    raise SampleFailed(what, node=node, remedy=remedy)


def _checkpoints(store: RunStore) -> str:
    """Return the run's folder of checkpoints as rank 0's record has it, else where the trainer has it."""
    folder = f"checkpoints/{store.run}"
    if store.events_file.exists():
        # The file is mostly steps: only lines that may be of a checkpoint are decoded.
        for _, event in read_events(store.events_file, containing=b'"ckpt"'):
            if isinstance(event, MetricsSeen) and event.rank == 0 and event.record.kind == "ckpt":
                folder = _folder_of(event.record.path) or folder
    return folder


def _folder_of(path: str) -> str:
    """Return the folder of a checkpoint, empty unless it is a folder inside the project.

    Any program can write anything into its metrics, and this path becomes an argument on a node.
    """
    if len(path) > _LONGEST_PATH or not path.isprintable():
        return ""
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\", "-", "~")) or PureWindowsPath(path).drive or ".." in parts or ":" in path:
        return ""
    parent = str(PurePosixPath(*parts).parent)
    return "" if parent == "." else parent


def _failure(node: str, module: str, status: int, tail: Sequence[str]) -> SampleFailed:
    """Return the error and remedy that the program's last lines of output have."""
    missing = [line for line in tail if f"No module named {module}" in line or "No module named '" in line]
    if missing:
        return SampleFailed(
            message(
                "sample.no-module",
                "{module} does not start: {error}",
                module=module,
                error=missing[-1].strip(),
            ),
            node=node,
            remedy=message("sample.no-module.remedy", "deploy to {node} again", node=node),
        )
    lines = [stripped for line in tail if (stripped := line.strip())]
    remedies = [line[2:].strip() for line in lines if line.startswith("->")]
    output = [line for line in lines if not line.startswith("->")]
    if output:
        what = message("sample.failed", "no plan was drawn: {error}", error=output[-1])
    else:
        what = message(
            "sample.failed-silently",
            "no plan was drawn: the program ended with status {status} and printed nothing",
            status=status,
        )
    return SampleFailed(what, node=node, remedy=Message(remedies[-1]) if remedies else EMPTY)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, data)
