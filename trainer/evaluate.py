"""Score a network on held-out pairs: ``python -m trainer.evaluate --config configs/train_config.yaml``.

Prints Tell2Design's score with and without its shift, beside a random training plan and the plan of the
training text that is nearest by TF-IDF.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainer.errors import DataError, TrainerError
from trainer.settings_file import load

_COLUMNS = ("iou_pooled", "iou_room", "iou_pooled_unshifted", "iou_room_unshifted")
_BATCH = 64


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.evaluate", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/train_config.yaml"))
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--checkpoint", type=Path, help="default: the newest below paths.checkpoints")
    parser.add_argument(
        "--text-encoder", default="", help="folder of the pretrained encoder, if not where training had it"
    )
    parser.add_argument("--count", type=int, default=0, help="held-out pairs; 0: all")
    parser.add_argument("--candidates", type=int, default=1, help="draw so many, keep the most typical")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    chosen = parser.parse_args(arguments)
    try:
        for result in results(chosen):
            _show(result, as_json=chosen.json)
    except (TrainerError, OSError) as error:
        print(error, file=sys.stderr)
        return getattr(error, "status", 1)
    return 0


def results(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield one result a method; the network's first."""
    from trainer.cache import cache_folder, open_pairs
    from trainer.data import reading_of
    from trainer.painter import Painter, pick_device
    from trainer.scoring import baselines, score_plans

    settings = load(chosen.config, chosen.set)
    checkpoint = chosen.checkpoint or Path(settings.paths.checkpoints)
    painter = Painter.load(checkpoint, pick_device(chosen.device), chosen.text_encoder)
    if painter.palette is None:
        raise DataError("the score needs rooms, and this network draws RGB", "train with data.mode palette")
    caches = Path(settings.data.cache_folder) if settings.data.cache_folder else cache_folder()
    root, reading = Path(settings.data.root), reading_of(settings)
    train = open_pairs(root / "train", reading, caches, encoder=painter.encoder)
    held_out = open_pairs(root / "val", reading, caches, train.palette, encoder=painter.encoder)
    numbers = list(range(min(chosen.count or len(held_out), len(held_out))))
    truths = held_out.pictures(numbers)
    drawn = []
    for at in range(0, len(numbers), _BATCH):
        tokens = held_out[numbers[at : at + _BATCH]]["tokens"].to(painter.device)
        drawn.append(
            painter.draw(
                tokens,
                steps=settings.sampling.steps,
                guidance=settings.sampling.guidance,
                seed=chosen.seed + at,
                candidates=chosen.candidates,
            )
        )
    about = {"step": painter.about["step"], "pairs": len(numbers)}
    yield {"method": "network", **about, **score_plans(truths, np.concatenate(drawn), painter.palette)}
    if not chosen.no_baselines:
        for method, plans in baselines(train, held_out, numbers, chosen.seed).items():
            yield {"method": method, "pairs": len(numbers), **score_plans(truths, plans, painter.palette)}


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)
        return
    if result["method"] == "network":
        print(f"{result['pairs']} held-out pairs; IoU in percent (network of step {result['step']})")
        print(f"{'':12}{'pooled':>10}{'room':>10}{'pooled, unshifted':>20}{'room, unshifted':>20}")
    widths = (10, 10, 20, 20)
    figures = "".join(f"{result[column]:{width}.2f}" for column, width in zip(_COLUMNS, widths, strict=True))
    print(f"{result['method']:12}{figures}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
