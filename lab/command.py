"""``dtui lab``: starts nodes, prints how to use them, runs until Ctrl-C, and cleans up."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.inventory import save_inventory
from lab.errors import LabError
from lab.guardian import forget_keys, guarded
from lab.lab import Lab
from lab.remains import remove_unused

if TYPE_CHECKING:
    from lab.wine.machine import WindowsMachine

_DONE, _FAILED, _USAGE = 0, 1, 2


async def serve(
    nodes: int, inventory_out: Path | None = None, *, winrm: int = 0, windows: bool = False
) -> int:
    """Run a lab in the foreground and return the exit status.

    The project is the current folder. While the lab runs, the project's ``.dtui/known_hosts`` holds the
    nodes' keys and ``inventory_out``, which must not exist yet, describes them.
    """
    project = Path.cwd()
    if inventory_out is not None and inventory_out.exists():
        return _print(f"{inventory_out} exists already: name another file for --inventory-out", _USAGE)
    stop = asyncio.Event()
    with _interrupts(stop), ExitStack() as machines:
        try:
            machine = await asyncio.to_thread(_windows_machine, machines) if windows else None
            lab = Lab(nodes, winrm=winrm, windows=machine)
        except ValueError as error:
            return _print(str(error), _USAGE)
        except LabError as error:
            return _print(str(error), _FAILED)
        try:
            async with lab:
                known_hosts = project / ".dtui" / "known_hosts"
                files = [inventory_out] if inventory_out is not None else []
                with (
                    guarded(lab.root, files, known_hosts, lab.known_hosts()),
                    _trusted(lab, known_hosts),
                    _written(lab, project, inventory_out),
                ):
                    _describe(lab, inventory_out)
                    await stop.wait()
        except LabError as error:
            return _print(str(error), _FAILED)
    return _print("the lab is gone", _DONE)


def _windows_machine(machines: ExitStack) -> WindowsMachine:
    from lab.wine.machine import WindowsMachine  # for tests, on Linux only

    _print("starting Windows under Wine; the first time it takes about a minute")
    return machines.enter_context(WindowsMachine())


@contextmanager
def _interrupts(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set)) for number in numbers
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _trusted(lab: Lab, path: Path) -> Iterator[None]:
    folder_is_new = not path.parent.exists()
    lab.trust(path)
    try:
        yield
    finally:
        forget_keys(path, lab.known_hosts())
        if folder_is_new:
            remove_unused(path.parent)


@contextmanager
def _written(lab: Lab, project: Path, path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    save_inventory(lab.inventory(project), path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _describe(lab: Lab, inventory_out: Path | None) -> None:
    for node in lab.nodes:
        print(f"{node.name}  {node.kind}  {node.user}@{node.address}:{node.port}", flush=True)  # noqa: T201
        if node.kind == "winrm":
            _print(f"{node.name}: password {node.password}")
    if inventory_out is not None:
        _print(f"in another terminal, in this folder: dtui nodes --inventory {inventory_out}")
    _print(f"the nodes' folders are in {lab.root}; Ctrl-C ends the lab and removes them")


def _print(text: str, status: int = _DONE) -> int:
    print(text, file=sys.stderr, flush=True)  # noqa: T201
    return status
