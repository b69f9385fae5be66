"""Time from the command to the first frame, compared with a bare Textual app: ``python -m benchmarks.start``.

Both run in a pty of 120x40 cells, in turns; the time is that until their text is among the terminal's bytes.
Both have their bytecode, as installed programs do. Linux only.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

BARE = """
from textual.app import App
from textual.widgets import Label

class Bare(App):
    def compose(self):
        yield Label("first frame")

Bare().run()
"""

#: Eight nodes at addresses of this machine without a service: the first frame waits for none of them.
INVENTORY = """
nodes:
  - name: gpu[1-8]
    address: 127.0.99.[1-8]
    transport: ssh
"""


def first_frame(command: list[str], marker: bytes, folder: Path) -> float:
    """Return the seconds from starting ``command`` to ``marker`` on its terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else only what is installed would have its bytecode
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment, start_new_session=True
    )
    os.close(slave)
    seen = b""
    try:
        while marker not in seen:
            if not select.select([master], [], [], 30)[0]:
                raise TimeoutError(f"no {marker!r} within 30 s")
            seen += os.read(master, 1 << 16)
        return time.perf_counter() - began
    finally:
        process.kill()
        process.wait()
        os.close(master)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    commands = {
        "bare Textual app": ([sys.executable, "-c", BARE], b"first frame"),
        "dtui": ([sys.executable, "-m", "tui"], b"No nodes yet"),
        "dtui, 8 nodes": ([sys.executable, "-m", "tui"], b"gpu8"),
        "python -c pass": ([sys.executable, "-c", "print('passed')"], b"passed"),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        empty, filled = Path(folder) / "empty", Path(folder) / "filled"
        empty.mkdir()
        (filled / "configs").mkdir(parents=True)
        (filled / "configs" / "nodes.yaml").write_text(INVENTORY, "utf-8")
        for _ in range(args.rounds + 1):
            for name, (command, marker) in commands.items():
                project = filled if name == "dtui, 8 nodes" else empty
                times[name].append(first_frame(command, marker, project))
    for name, all_times in times.items():
        kept = all_times[1:]  # the first round fills the caches
        print(f"{name:18} median {statistics.median(kept):.3f} s  (best {min(kept):.3f})")
    bare = times["bare Textual app"][1:]
    for name in ("dtui", "dtui, 8 nodes"):
        ours = times[name][1:]
        median = statistics.median(ours) / statistics.median(bare)
        print(f"{name} / bare: {median:.2f} (of the best: {min(ours) / min(bare):.2f})")


if __name__ == "__main__":
    main()
