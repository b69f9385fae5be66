"""Export the averaged weights as one file for sampling: ``python -m trainer.export -o plans.safetensors``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trainer.errors import TrainerError


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.export", description=__doc__)
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("checkpoints"), help="folder of a checkpoint or of a run"
    )
    parser.add_argument("-o", "--out", type=Path, default=Path("floorplan.safetensors"))
    options = parser.parse_args(arguments)
    from trainer.evaluation.sampler import PlanSampler, select_device

    try:
        PlanSampler.load(options.checkpoint, select_device("cpu")).export(options.out)
    except (TrainerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
