"""One file of averaged weights for sampling: ``python -m trainer.export -o plans.safetensors``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trainer.errors import TrainerError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.export", description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("checkpoints"), help="a step's or run's folder"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("floorplan.safetensors"))
    chosen = parser.parse_args(arguments)
    from trainer.painter import Painter, pick_device

    try:
        Painter.load(chosen.checkpoint, pick_device("cpu")).export(chosen.out)
    except (TrainerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(chosen.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
