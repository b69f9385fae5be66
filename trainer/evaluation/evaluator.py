"""Evaluates a run's averaged weights during training: held-out loss, scores, and sample grids."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.dataset.pair_dataset import PairDataset
from trainer.distributed.context import DistributedContext
from trainer.evaluation.image_grid import save_grid, to_rgb
from trainer.evaluation.plan_iou import Score, room_numbers, score_plan
from trainer.evaluation.scoring import mean_scores_by_name
from trainer.metrics_logger import MetricsLogger
from trainer.model.ema import ExponentialMovingAverage
from trainer.model.flow_matching import FlowMatching
from trainer.model.transformer import FloorPlanTransformer
from trainer.settings import Settings

#: Constant, so that the evaluations of a run differ by its weights only.
_SEED = 20231
_BATCH_SIZE = 32


class Evaluator:
    """Evaluates on held-out pairs, or on training pairs if none is held out; each rank takes its share."""

    def __init__(
        self, settings: Settings, context: DistributedContext, logger: MetricsLogger,
        network: FloorPlanTransformer, ema: ExponentialMovingAverage, flow: FlowMatching,
        dataset: PairDataset, *, is_held_out: bool,
    ) -> None:  # fmt: skip
        self.is_held_out = is_held_out
        self._settings, self._context, self._logger = settings, context, logger
        self._network, self._ema, self._flow, self._dataset = network, ema, flow, dataset

    def evaluate(self, step: int) -> float | None:
        """Record loss and scores; return the loss of all ranks, None if evaluation is off."""
        count = min(self._settings.training.eval_pairs, len(self._dataset))
        indices = list(range(self._context.rank, count, self._context.world_size))
        if not count:
            return None
        started = time.monotonic()
        with self._ema.swapped_in(), self._context.accelerator.autocast(), torch.no_grad():
            batches = [
                self._evaluate_batch(indices[start : start + _BATCH_SIZE])
                for start in range(0, len(indices), _BATCH_SIZE)
            ]
        results = [result for rank_batches in self._context.all_gather(batches) for result in rank_batches]
        loss = float(sum(loss_sum for loss_sum, _, _ in results)) / count
        record: dict[str, Any] = {"step": step, "loss": loss, "pairs": count}
        scores = [score for _, shifted, _ in results for score in shifted]
        has_scores = any(scores)
        if has_scores:
            unshifted_scores = [score for _, _, unshifted in results for score in unshifted]
            record |= mean_scores_by_name(scores, unshifted_scores)
        record["seconds"] = time.monotonic() - started
        self._logger.record("eval", **record)
        metrics = {f"eval_{name}": value for name, value in record.items() if isinstance(value, float)}
        self._context.accelerator.log(metrics, step=step)
        pairs = "held-out pairs" if self.is_held_out else "training pairs"
        self._logger.info(
            f"Evaluation of {count} {pairs} at step {step}: loss {loss:.4f}"
            + (
                f", IoU {record['iou_pooled']:.1f} pooled, {record['iou_room']:.1f} per room"
                if has_scores
                else ""
            )
        )
        return loss

    def save_sample_grid(self, step: int, folder: Path) -> None:
        """Write an image on rank 0: known plans in the first row, samples for their texts below."""
        if self._context.rank != 0:
            return
        self._logger.enter_phase("sampling")
        batch = self._dataset[list(range(min(self._settings.sampling.count, len(self._dataset))))]
        with self._ema.swapped_in(), self._context.accelerator.autocast():
            plans = self._sample(batch["tokens"])
        rows = [to_rgb(row.cpu().numpy(), self._dataset.palette) for row in (batch["images"], plans)]
        path = folder / f"step-{step:08d}.png"
        save_grid(rows, path)
        self._logger.record("sample", step=step, path=path.as_posix())
        self._logger.info(f"Samples {path.as_posix()} (ground truth above, samples below)")

    def _evaluate_batch(self, indices: list[int]) -> tuple[float, list[Score | None], list[Score | None]]:
        """Return the summed loss, the scores, and the unshifted scores of some pairs."""
        batch = self._dataset[indices]
        images, tokens = (batch[name].to(self._context.device) for name in ("images", "tokens"))
        generator = torch.Generator(device=self._context.device).manual_seed(_SEED + indices[0])
        random_inputs = self._flow.random_inputs(images, 0.0, generator)
        loss = self._flow.loss(self._network, images, tokens, *random_inputs)
        if not self._dataset.palette:
            return float(loss) * len(indices), [], []
        plans = self._sample(batch["tokens"]).cpu().numpy()
        numbers = room_numbers(self._dataset.palette)
        pairs = list(zip(numbers[batch["images"].numpy()], numbers[plans], strict=True))
        shifted = [score_plan(truth, plan) for truth, plan in pairs]
        unshifted = [score_plan(truth, plan, shifted=False) for truth, plan in pairs]
        return float(loss) * len(indices), shifted, unshifted

    def _sample(self, tokens: Tensor) -> Tensor:
        sampling, device = self._settings.sampling, self._context.device
        return self._flow.sample(
            self._network,
            tokens.to(device),
            steps=sampling.steps,
            guidance=sampling.guidance,
            generator=torch.Generator(device=device).manual_seed(_SEED),
        )
