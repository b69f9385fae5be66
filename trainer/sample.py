"""Draw a plan: ``python -m trainer.sample --text "The kitchen is north east, 9 by 7." -o plan.png``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trainer.errors import TrainerError


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.sample", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", action="append", help="a description; repeat for several plans")
    source.add_argument("--text-file", type=Path, action="append", help="a UTF-8 file with one description")
    parser.add_argument("-o", "--out", type=Path, default=Path("plan.png"))
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path("checkpoints"),
        help="folder of a checkpoint or of a run, or an exported file",
    )
    parser.add_argument(
        "--best", action="store_true", help="use the best checkpoint of a run, not the newest"
    )
    parser.add_argument(
        "--text-encoder", default="", help="folder of the pretrained encoder, if it was moved since training"
    )
    parser.add_argument("--count", type=int, default=1, help="plans per text")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    options = parser.parse_args(arguments)
    if options.count < 1 or options.steps < 1:
        parser.error("--count and --steps must be at least 1")
    from trainer.checkpoint.storage import best_checkpoint
    from trainer.evaluation.image_grid import save_grid, write_png
    from trainer.evaluation.sampler import PlanSampler, select_device

    try:
        texts = options.text or [path.read_text(encoding="utf-8-sig") for path in options.text_file]
        checkpoint = best_checkpoint(options.checkpoint).folder if options.best else options.checkpoint
        sampler = PlanSampler.load(checkpoint, select_device(options.device), options.text_encoder)
        tokens_of_texts = [sampler.tokenize([text] * options.count) for text in texts]
    except (TrainerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    rows = [
        sampler.to_rgb(
            sampler.sample(tokens, steps=options.steps, guidance=options.guidance, seed=options.seed)
        )
        for tokens in tokens_of_texts
    ]
    if len(rows) == 1 and options.count == 1:
        write_png(rows[0][0], options.out)
    else:
        save_grid(rows, options.out)
    print(options.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
