"""Draw a plan: ``python -m trainer.sample --text "The kitchen is north east, 9 by 7." -o plan.png``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trainer.errors import TrainerError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.sample", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", action="append", help="a description; several make several plans")
    source.add_argument("--text-file", type=Path, action="append", help="a UTF-8 file with one description")
    parser.add_argument("-o", "--out", type=Path, default=Path("plan.png"))
    parser.add_argument(
        "--checkpoint", type=Path, default=Path("checkpoints"), help="a step's or run's folder, or an export"
    )
    parser.add_argument("--best", action="store_true", help="of a run's folder the best, not the newest")
    parser.add_argument(
        "--text-encoder", default="", help="folder of the pretrained encoder, if not where training had it"
    )
    parser.add_argument("--count", type=int, default=1, help="plans a text")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    chosen = parser.parse_args(arguments)
    if chosen.count < 1 or chosen.steps < 1:
        parser.error("--count and --steps have to be at least 1")
    from trainer.checkpoints import best_checkpoint
    from trainer.painter import Painter, pick_device
    from trainer.pictures import save_grid, write_png

    try:
        texts = chosen.text or [path.read_text(encoding="utf-8-sig") for path in chosen.text_file]
        checkpoint = best_checkpoint(chosen.checkpoint).folder if chosen.best else chosen.checkpoint
        painter = Painter.load(checkpoint, pick_device(chosen.device), chosen.text_encoder)
        read = [painter.tokens([text] * chosen.count) for text in texts]
    except (TrainerError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    options = {"steps": chosen.steps, "guidance": chosen.guidance}
    rows = [painter.rgb(painter.draw(tokens, seed=chosen.seed, **options)) for tokens in read]
    if len(rows) == 1 and chosen.count == 1:
        write_png(rows[0][0], chosen.out)
    else:
        save_grid(rows, chosen.out)
    print(chosen.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
