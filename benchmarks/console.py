"""Log panes under a flood of lines, compared with a plain RichLog: ``python -m benchmarks.console``.

100 nodes write 1,000 lines per second each; four are on the screen, in a pty of 160x50 cells. A key is
pressed every 200 ms and the time until its effect is among the terminal's bytes is taken. CPU is that of the
whole process, making up the flood included (what that alone costs is the third row). Linux only.
"""

from __future__ import annotations

import argparse
import fcntl
import json
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

import psutil

ROWS, COLUMNS = 50, 160
PAUSE = 0.2
#: A key without an effect after this many seconds counts as taking that long.
LIMIT = 30.0


class Terminal:
    """A child process in a pty."""

    def __init__(self, kind: str, nodes: int, rate: int, result: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        command = [sys.executable, "-m", "benchmarks.console_child", kind, str(nodes), str(rate), str(result)]
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self._seen = b""

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def wait_for(self, text: bytes, seconds: float) -> float | None:
        """Return the seconds until ``text`` was written, None when it was not."""
        start = time.perf_counter()
        while (left := start + seconds - time.perf_counter()) > 0:
            if select.select([self._master], [], [], left)[0]:
                try:
                    self._seen += os.read(self._master, 1 << 20)
                except OSError:
                    return None
                if text in self._seen:
                    self._seen = b""
                    return time.perf_counter() - start
                self._seen = self._seen[-64:]
        return None

    def drain(self, seconds: float) -> None:
        self.wait_for(b"\0never\0", seconds)


def measure(kind: str, nodes: int, rate: int, seconds: float) -> dict[str, object]:
    """Return CPU in percent of one core, key-to-frame times in ms, and lines written and kept track of."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "lines.json"
        terminal = Terminal(kind, nodes, rate, result)
        process = psutil.Process(terminal.process.pid)
        terminal.drain(4.0)
        before, began = process.cpu_times(), time.perf_counter()
        times, number = [], 0
        while time.perf_counter() - began < seconds:
            number += 1
            terminal.press(b"\x1b[21~")  # F10
            took = terminal.wait_for(b"probe-%04d" % number, LIMIT)
            times.append((LIMIT if took is None else took) * 1000)
            terminal.drain(PAUSE)
        after, took_all = process.cpu_times(), time.perf_counter() - began
        cpu = (after.user + after.system - before.user - before.system) / took_all * 100
        terminal.press(b"\x1b[23~")  # F11
        deadline = time.monotonic() + 30
        while terminal.process.poll() is None and time.monotonic() < deadline:
            terminal.drain(0.2)
        terminal.process.kill()
        terminal.process.wait()
        counted = json.loads(result.read_text()) if result.exists() else {}
    times.sort()
    return {
        "kind": kind,
        "cpu": cpu,
        "p50": statistics.median(times) if times else None,
        "p95": times[min(len(times) - 1, int(len(times) * 0.95))] if times else None,
        "keys": len(times),
        **counted,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--rate", type=int, default=1000, help="lines a second and node")
    parser.add_argument("--seconds", type=float, default=8.0)
    args = parser.parse_args()
    print(f"{args.nodes} nodes x {args.rate} lines/s, 4 panes, {COLUMNS}x{ROWS}, {args.seconds:.0f} s")
    print(f"{'':10} {'CPU %':>6} {'p50 ms':>8} {'p95 ms':>8} {'written':>10} {'counted':>10}")
    rows = [measure(kind, args.nodes, args.rate, args.seconds) for kind in ("console", "richlog", "flood")]
    for row in rows:
        p50, p95 = (f"{row[key]:.1f}" if row[key] is not None else "-" for key in ("p50", "p95"))
        written, counted = row.get("written", "-"), row.get("counted", "-")
        print(f"{row['kind']:10} {row['cpu']:6.1f} {p50:>8} {p95:>8} {written:>10} {counted:>10}")
    ours, theirs, _ = rows
    if ours["p95"] and theirs["p95"]:
        print(f"p95 key to frame: RichLog / console = {theirs['p95'] / ours['p95']:.0f}")  # type: ignore[operator]
    print(f"lines lost by the console: {ours.get('written', 0) - ours.get('counted', 0)}")  # type: ignore[operator]


if __name__ == "__main__":
    main()
