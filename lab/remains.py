"""Temporary folders of labs, and how those are found whose lab was killed before it could clean up."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agent.private import MARK
from lab.addresses import AddressBlock
from lab.ending import sweep
from lab.errors import LabError

_PREFIX = "dtui-lab-"
#: Holds the lab's id, the number of its address block, which a living lab holds, and its
#: network.
_OWNER = "lab"
_NETWORK = Path("/proc/thread-self/ns/net")


def make_root(lab: str, block: AddressBlock) -> Path:
    """Return a new temporary folder for the lab that has this block."""
    root = Path(tempfile.mkdtemp(prefix=_PREFIX))
    (root / _OWNER).write_text(f"{lab} {block.number} {_network()}", "ascii")
    return root


async def remove_remains() -> None:
    """End the processes and remove the folders of labs that have ended."""
    for root in _our_roots():
        try:
            lab, number, network = (root / _OWNER).read_text("ascii").split()
            if network != _network():
                continue  # whether it lives can't be seen from here
            block = AddressBlock(int(number))
        except (OSError, ValueError, LabError):
            continue  # being created, already removed, or alive
        try:
            await sweep(lab, root)
            await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
        finally:
            block.release()


def _network() -> str:
    """Return an id of this network namespace; constant on systems without them."""
    return str(_NETWORK.stat().st_ino) if _NETWORK.exists() else "-"


def _our_roots() -> Iterator[Path]:
    for root in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            status = root.lstat()
        except OSError:
            continue  # its lab has just ended
        if stat.S_ISDIR(status.st_mode) and (os.name == "nt" or status.st_uid == os.getuid()):
            yield root


def remove_unused(folder: Path) -> None:
    """Remove a ``.dtui`` that has nothing in it but the mark of private files; leave one that is in use."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [MARK]:
            (folder / MARK).unlink()
        folder.rmdir()
