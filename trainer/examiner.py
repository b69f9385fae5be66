"""Looks at a run's averaged weights while it trains: held-out loss, the plans' score, and pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.journal import Journal
from trainer.loop import Parts
from trainer.metric import Score, mean_scores, rooms_of, score
from trainer.model import FloorPlanTransformer
from trainer.pictures import as_rgb, save_grid
from trainer.settings import Settings
from trainer.stores import Pairs
from trainer.world import World

#: So that evaluations of a run differ by its weights alone.
_SEED = 20231
_BATCH = 32


class Examiner:
    """Evaluates on held-out pairs, each rank its part of them."""

    def __init__(
        self, settings: Settings, world: World, journal: Journal, network: FloorPlanTransformer, parts: Parts,
        pairs: Pairs,
    ) -> None:  # fmt: skip
        self._settings, self._world, self._journal = settings, world, journal
        self._network, self._parts, self._pairs = network, parts, pairs

    def evaluate(self, step: int) -> float | None:
        """Record held-out loss and scores; return the loss, the same on every rank (None: switched off)."""
        count = min(self._settings.training.eval_pairs, len(self._pairs))
        mine = list(range(self._world.rank, count, self._world.size))
        if not count:
            return None
        begun = time.monotonic()
        with self._parts.average.in_place(), self._world.accelerator.autocast(), torch.no_grad():
            told = [self._look(mine[at : at + _BATCH]) for at in range(0, len(mine), _BATCH)]
        everyone = [each for part in self._world.gather(told) for each in part]
        loss = float(sum(total for total, _, _ in everyone)) / count
        record: dict[str, Any] = {"step": step, "loss": loss, "pairs": count}
        scores = [each for _, shifted, _ in everyone for each in shifted]
        if any(scores):
            plain = mean_scores(each for _, _, unshifted in everyone for each in unshifted)
            record |= mean_scores(scores) | {f"{name}_unshifted": value for name, value in plain.items()}
        record["seconds"] = time.monotonic() - begun
        self._journal.record("eval", **record)
        figures = {f"eval_{name}": value for name, value in record.items() if isinstance(value, float)}
        self._world.accelerator.log(figures, step=step)
        self._journal.say(
            f"Evaluation of {count} held-out pairs at step {step}: loss {loss:.4f}"
            + (
                f", IoU {record['iou_pooled']:.1f} pooled, {record['iou_room']:.1f} a room"
                if any(scores)
                else ""
            )
        )
        return loss

    def grid(self, step: int, folder: Path) -> None:
        """Write on rank 0 a picture of held-out plans: the truth above, what their texts give below."""
        if self._world.rank != 0:
            return
        self._journal.phase("sampling")
        chosen = self._pairs[list(range(min(self._settings.sampling.count, len(self._pairs))))]
        with self._parts.average.in_place(), self._world.accelerator.autocast():
            plans = self._draw(chosen["tokens"])
        rows = [as_rgb(each.cpu().numpy(), self._pairs.palette) for each in (chosen["pictures"], plans)]
        path = folder / f"step-{step:08d}.png"
        save_grid(rows, path)
        self._journal.record("sample", step=step, path=path.as_posix())
        self._journal.say(f"Samples {path.as_posix()} (truth above, drawn below)")

    def _look(self, indices: list[int]) -> tuple[float, list[Score | None], list[Score | None]]:
        """Return the summed loss and the scores of some pairs, shifted and not."""
        batch = self._pairs[indices]
        pictures, tokens = (batch[name].to(self._world.device) for name in ("pictures", "tokens"))
        generator = torch.Generator(device=self._world.device).manual_seed(_SEED + indices[0])
        noise, t, keep = self._parts.flow.draw(pictures, 0.0, generator)
        loss = self._parts.flow.loss(self._network, pictures, tokens, noise, t, keep)
        if not self._pairs.palette:
            return float(loss) * len(indices), [], []
        plans = self._draw(batch["tokens"]).cpu().numpy()
        rooms = rooms_of(self._pairs.palette)
        truths, drawn = rooms[batch["pictures"].numpy()], rooms[plans]
        shifted = [score(truth, plan) for truth, plan in zip(truths, drawn, strict=True)]
        plain = [score(truth, plan, shifted=False) for truth, plan in zip(truths, drawn, strict=True)]
        return float(loss) * len(indices), shifted, plain

    def _draw(self, tokens: Tensor) -> Tensor:
        sampling, device = self._settings.sampling, self._world.device
        return self._parts.flow.sample(
            self._network,
            tokens.to(device),
            steps=sampling.steps,
            guidance=sampling.guidance,
            generator=torch.Generator(device=device).manual_seed(_SEED),
        )
