"""Throughput of the renderer of log lines, compared with the decoder that it replaced.

Run ``python -m benchmarks.renderer``. Both render the same lines in one run; the ratio is what counts. The
former decoder took only the last state of a line with carriage returns and dropped all colours.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from fleet.terminal import render_bytes

LINES = 40_000
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
KINDS = {
    "ASCII": b"step    417/100000  loss 0.5123  lr 3.00e-04  150.3 pairs/s  41 ms",
    "Korean": "단계 417/100000  손실 0.5123  학습률 3.00e-04  초당 150.3쌍".encode(),
    "colours": b"\x1b[32mINFO\x1b[0m step 417 \x1b[1mloss\x1b[22m 0.5123",
    "progress bar": b"".join(b"\r%3d%%|%s| %d/100" % (n, b"#" * (n // 10), n) for n in range(0, 100, 5)),
}


def former(raw: bytes) -> str:
    if b"\r" in raw:
        raw = next((part for part in reversed(raw.split(b"\r")) if part), b"")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp949", "replace")
    if text.isprintable() and text.isascii():
        return text
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    if "\t" in text:
        text = text.expandtabs(8)
    return _CONTROL.sub("", text)


def seconds(render: Callable[[bytes], object], line: bytes, count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        render(line)
    return time.process_time() - began


def main() -> None:
    print(f"{'':14} {'former MB/s':>12} {'now MB/s':>10} {'ratio':>7}")
    for kind, line in KINDS.items():
        count = LINES * 60 // len(line)
        pairs = [(seconds(former, line, count), seconds(render_bytes, line, count)) for _ in range(5)]
        before, now = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
        size = len(line) * count / 1e6
        print(f"{kind:14} {size / before:12.1f} {size / now:10.1f} {before / now:7.2f}")


if __name__ == "__main__":
    main()
