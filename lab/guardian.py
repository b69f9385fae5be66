"""A process that outlives a killed lab and clears up after it: ``python -m lab.guardian``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.remains import remove_remains, remove_unused

_GONE_WELL = b"done\n"
_SECONDS = 20.0
_PAUSE = 0.05
#: Windows: no console, and a separate process group.
_DETACHED = 0x00000208 if os.name == "nt" else 0


@contextmanager
def guarded(root: Path, files: Sequence[Path], known_hosts: Path, keys: str) -> Iterator[None]:
    """Run a guardian during the body. The body cleans up itself unless it is killed.

    After a kill the guardian ends the lab's processes, removes its folder ``root`` and ``files``, and takes
    the lines ``keys`` out of ``known_hosts``.
    """
    guardian = subprocess.Popen(
        # Not from the current folder, which may contain another package named `lab`.
        [sys.executable, "-P", "-m", "lab.guardian"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=_DETACHED,
    )
    assert guardian.stdin is not None
    traces = {
        "root": str(root),
        "files": [str(path.resolve()) for path in files],
        "known_hosts": str(known_hosts.resolve()),
        "keys": keys,
    }
    try:
        _print_row(guardian, json.dumps(traces).encode() + b"\n")
        yield
    finally:
        _print_row(guardian, _GONE_WELL)
        with suppress(OSError):
            guardian.stdin.close()
        guardian.wait()


def forget_keys(known_hosts: Path, keys: str) -> None:
    """Take lines out of a known_hosts file, and the file away when nothing else is in it."""
    ours = set(keys.splitlines())
    rest = [line for line in known_hosts.read_text("utf-8").splitlines() if line not in ours]
    if rest:
        known_hosts.write_text("".join(f"{line}\n" for line in rest), "utf-8")
    else:
        known_hosts.unlink()


def _print_row(guardian: subprocess.Popen[bytes], words: bytes) -> None:
    assert guardian.stdin is not None
    with suppress(OSError):  # it was killed, and a lab does without
        guardian.stdin.write(words)
        guardian.stdin.flush()


def main() -> None:
    """Wait for the lab's end; after a kill, clear up."""
    line = sys.stdin.buffer.readline()
    if sys.stdin.buffer.read() == _GONE_WELL or not line:
        return
    traces = json.loads(line)
    asyncio.run(_remove(Path(traces["root"])))
    for path in traces["files"]:
        Path(path).unlink(missing_ok=True)
    known_hosts = Path(traces["known_hosts"])
    with suppress(FileNotFoundError):
        forget_keys(known_hosts, traces["keys"])
    remove_unused(known_hosts.parent)


async def _remove(root: Path) -> None:
    # The pipe may be closed shortly before the address block, which marks a living lab.
    deadline = time.monotonic() + _SECONDS
    while root.exists() and time.monotonic() < deadline:
        await remove_remains()
        await asyncio.sleep(_PAUSE)


if __name__ == "__main__":
    main()
