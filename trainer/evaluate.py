"""Score a network on held-out pairs: ``python -m trainer.evaluate --config configs/train_config.yaml``.

Prints Tell2Design's score with and without its shift, and for comparison the scores of two baselines: a
random training plan, and the plan of the training text that is nearest by TF-IDF.
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
_BATCH_SIZE = 64


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trainer.evaluate", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/train_config.yaml"))
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--checkpoint", type=Path, help="default: the newest below paths.checkpoints")
    parser.add_argument(
        "--text-encoder", default="", help="folder of the pretrained encoder, if it was moved since training"
    )
    parser.add_argument("--count", type=int, default=0, help="held-out pairs; 0: all")
    parser.add_argument(
        "--candidates", type=int, default=1, help="sample this many plans per text, score the most typical"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--no-baselines", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args(arguments)
    try:
        for result in evaluate(options):
            _print_result(result, as_json=options.json)
    except (TrainerError, OSError) as error:
        print(error, file=sys.stderr)
        return getattr(error, "status", 1)
    return 0


def evaluate(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield one result per method, the network's first."""
    from trainer.dataset.cache import open_dataset
    from trainer.dataset.held_out import SplitPairs, hold_out
    from trainer.dataset.loading import cache_folder, preprocessing_options
    from trainer.evaluation.sampler import PlanSampler, select_device
    from trainer.evaluation.scoring import baseline_plans, score_plans

    settings = load(options.config, options.set)
    checkpoint = options.checkpoint or Path(settings.paths.checkpoints)
    sampler = PlanSampler.load(checkpoint, select_device(options.device), options.text_encoder)
    if sampler.palette is None:
        raise DataError(
            "the score needs rooms, and this network draws RGB images", "train with data.mode palette"
        )
    root, caches = Path(settings.data.root), cache_folder(settings)
    preprocessing = preprocessing_options(settings)
    train = open_dataset(root / "train", preprocessing, caches, encoder=sampler.encoder)
    if (root / "val").is_dir():
        val = open_dataset(root / "val", preprocessing, caches, train.palette, encoder=sampler.encoder)
        pairs = SplitPairs(train, val, "val")
    else:
        pairs = hold_out(train)
    held_out = pairs.held_out
    if held_out is None or (pairs.identity != "val" and sampler.metadata.get("held_out") != pairs.identity):
        raise DataError(
            f"{root / 'val'} does not exist, and this network was trained on the pairs in {root / 'train'}",
            "put pairs that it was not trained on into data/val/input_text and data/val/label_floorplan",
        )
    indices = list(range(min(options.count or len(held_out), len(held_out))))
    truths = held_out.images(indices)
    plans = []
    for start in range(0, len(indices), _BATCH_SIZE):
        tokens = held_out[indices[start : start + _BATCH_SIZE]]["tokens"].to(sampler.device)
        plans.append(
            sampler.sample(
                tokens,
                steps=settings.sampling.steps,
                guidance=settings.sampling.guidance,
                seed=options.seed + start,
                candidates=options.candidates,
            )
        )
    scores = score_plans(truths, np.concatenate(plans), sampler.palette)
    yield {"method": "network", "step": sampler.metadata["step"], "pairs": len(indices), **scores}
    if not options.no_baselines:
        for method, baseline in baseline_plans(pairs.train, held_out, indices, options.seed).items():
            scores = score_plans(truths, baseline, sampler.palette)
            yield {"method": method, "pairs": len(indices), **scores}


def _print_result(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)
        return
    if result["method"] == "network":
        print(f"{result['pairs']} held-out pairs; IoU in percent (network of step {result['step']})")
        print(f"{'':12}{'pooled':>10}{'room':>10}{'pooled, unshifted':>20}{'room, unshifted':>20}")
    widths = (10, 10, 20, 20)
    scores = "".join(f"{result[column]:{width}.2f}" for column, width in zip(_COLUMNS, widths, strict=True))
    print(f"{result['method']:12}{scores}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
