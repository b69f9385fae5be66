"""Synthetic pairs in the layout of real data: ``python -m trainer.sample_data --out data --count 512``.

Uses the standard library only; a seed gives the same bytes on every machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer.dataset.synthetic import write_pairs


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.sample_data", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data"))
    parser.add_argument("--count", type=int, default=512, help="training pairs; an eighth more is held out")
    parser.add_argument("--size", type=int, default=32, help="side of the images in pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.size < 16 or options.count < 1:
        parser.error("--size must be at least 16 and --count at least 1")
    try:
        write_pairs(options.out, options.count, options.size, options.seed)
    except FileExistsError as error:
        parser.error(f"{error}; choose another --out")
    print(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
