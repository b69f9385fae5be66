"""The training loop: micro-steps, optimizer steps, and metrics records that all ranks agree on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainer.dataset.augmentation import MirrorAugmentation
from trainer.distributed.all_reduce_hook import AllReduceHook
from trainer.distributed.context import DistributedContext
from trainer.distributed.diloco import OuterOptimizer
from trainer.errors import DivergedError
from trainer.metrics_logger import MetricsLogger
from trainer.model.ema import ExponentialMovingAverage
from trainer.model.flow_matching import FlowMatching
from trainer.model.optimizer import scheduled_learning_rate
from trainer.progress import TrainingProgress
from trainer.settings import Settings
from trainer.throughput import ThroughputMeter


@dataclass
class TrainingComponents:
    """What a training step uses; ``model`` is the wrapped loss module.

    With several ranks, ``all_reduce_hook`` or DDP itself averages gradients in each step, or
    ``outer_optimizer`` averages weights from time to time.
    """

    model: nn.Module
    optimizer: Any
    ema: ExponentialMovingAverage
    flow: FlowMatching
    all_reduce_hook: AllReduceHook | None = None
    outer_optimizer: OuterOptimizer | None = None
    augmentation: MirrorAugmentation | None = None


class TrainingLoop:
    """Trains until the run is finished, or all ranks have agreed to stop."""

    def __init__(
        self, settings: Settings, context: DistributedContext, logger: MetricsLogger,
        components: TrainingComponents, progress: TrainingProgress, throughput: ThroughputMeter, *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        self.progress = progress
        self._settings, self._context, self._logger = settings, context, logger
        self._components, self._throughput, self._clock = components, throughput, clock
        self._generator = torch.Generator(device=context.device)
        self._micro_steps = settings.training.gradient_accumulation_steps

    def warm_up(self, batches: Iterator[dict[str, Tensor]]) -> None:
        """Compute the gradients of one step and discard them.

        Afterwards DDP has its final buckets, so a resumed run sums gradients in the same order as an
        uninterrupted one. Compilation is done, and a model that does not fit into memory fails here.
        """
        self._compute_gradients(batches)
        self._components.optimizer.zero_grad()
        self._throughput.data_time = 0.0
        if self._components.all_reduce_hook:
            self._components.all_reduce_hook.pop_busy_seconds()

    def run(
        self,
        batches: Iterator[dict[str, Tensor]],
        stop_requested: Callable[[], bool],
        after_step: Callable[[], None],
    ) -> bool:
        """Train; return whether the run was stopped before its end.

        ``after_step`` is called on every rank.
        """
        training, progress = self._settings.training, self.progress
        started, minutes_before = self._clock(), progress.minutes
        reported, loss_sum, steps = self._clock(), torch.zeros((), device=self._context.device), 0
        while not progress.is_finished(training):
            rate = scheduled_learning_rate(training, progress.step, progress.fraction_done(training))
            for group in self._components.optimizer.param_groups:
                group["lr"] = rate
            loss_sum += self._compute_gradients(batches)
            grad_norm = self._optimizer_step()
            steps += 1
            progress.step += 1
            progress.samples += self._micro_steps * training.batch_size * self._context.world_size
            self._logger.step = progress.step
            stopping = False
            if progress.step % training.log_every == 0 or progress.step >= training.max_steps:
                minutes = minutes_before + (self._clock() - started) / 60
                mean_loss, stopping = self._all_reduce_status(loss_sum / steps, stop_requested(), minutes)
                self._report(mean_loss, rate, grad_norm, steps, self._clock() - reported)
                loss_sum, steps = torch.zeros_like(loss_sum), 0
            after_step()
            if stopping and not progress.is_finished(training):
                return True
            if steps == 0:
                reported = self._clock()
        return False

    def _compute_gradients(self, batches: Iterator[dict[str, Tensor]]) -> Tensor:
        """Return the mean loss of a step's micro-batches; only the last one communicates gradients."""
        accelerator, components = self._context.accelerator, self._components
        self._generator.manual_seed(self._step_seed())
        mean_loss = torch.zeros((), device=self._context.device)
        for micro_step in range(self._micro_steps):
            batch = self._next_batch(batches)
            images, tokens = batch["images"], batch["tokens"]
            if components.augmentation:
                images, tokens = components.augmentation(images, tokens, self._generator)
            random_inputs = components.flow.random_inputs(
                images, self._settings.training.text_dropout, self._generator
            )
            is_last = micro_step == self._micro_steps - 1
            communicate = is_last and components.outer_optimizer is None
            with nullcontext() if communicate else accelerator.no_sync(components.model):
                loss = components.model(images, tokens, *random_inputs)
                accelerator.backward(loss / self._micro_steps)
            mean_loss += loss.detach() / self._micro_steps
        return mean_loss

    def _step_seed(self) -> int:
        # A multiplier for each of them, so that different seeds, steps and ranks get different values.
        seed, step = self._settings.training.seed, self.progress.step
        return (
            seed * 0x9E3779B97F4A7C15 + step * 0xC2B2AE3D27D4EB4F + self._context.rank * 0x165667B19E3779F9
        ) % (1 << 63)

    def _next_batch(self, batches: Iterator[dict[str, Tensor]]) -> dict[str, Tensor]:
        started = self._clock()
        batch = next(batches)
        self._throughput.data_time += self._clock() - started
        return {name: value.to(self._context.device, non_blocking=True) for name, value in batch.items()}

    def _optimizer_step(self) -> Tensor:
        """Update the weights; return the gradient norm before clipping."""
        limit, components = self._settings.training.max_grad_norm, self._components
        norm: Tensor = self._context.accelerator.clip_grad_norm_(
            components.model.parameters(), limit or math.inf
        )
        components.optimizer.step()
        components.optimizer.zero_grad()
        if components.outer_optimizer:
            components.outer_optimizer.after_local_step(self.progress.step)
        else:
            components.ema.update(self.progress.step)
        return norm

    def _all_reduce_status(self, loss: Tensor, stop: bool, minutes: float) -> tuple[float, bool]:
        """Return the mean loss of all ranks and whether any has a stop request; adopt the clock of rank 0."""
        is_rank_zero = self._context.rank == 0
        status = torch.stack(
            [loss.double(), loss.new_tensor(stop).double(), loss.new_tensor(minutes * is_rank_zero).double()]
        )
        if self._context.world_size > 1:
            dist.all_reduce(status)
        loss_sum, stop_requests, self.progress.minutes = status.tolist()
        return loss_sum / self._context.world_size, stop_requests > 0

    def _report(self, loss: float, rate: float, norm: Tensor, steps: int, seconds: float) -> None:
        scaler = self._context.accelerator.scaler
        scale = float(scaler.get_scale()) if scaler is not None else None
        hook = self._components.all_reduce_hook
        grad_norm = float(norm)
        metrics = self._throughput.compute_metrics(
            self.progress, steps, seconds, hook.pop_busy_seconds() if hook else None
        )
        self._logger.record(
            "step", step=self.progress.step, loss=loss, lr=rate, grad_norm=grad_norm, scale=scale, **metrics
        )
        tracked = {name: value for name, value in metrics.items() if isinstance(value, float)}
        self._context.accelerator.log({"loss": loss, "lr": rate, **tracked}, step=self.progress.step)
        self._logger.info(
            f"step {self.progress.step}/{self._settings.training.max_steps}  loss {loss:.4f}  lr {rate:.2e}  "
            f"grad {grad_norm:.2f}  {metrics['samples_s']:.1f} pairs/s  "
            f"{metrics['step_time'] * 1000:.0f} ms/step"
            + (f"  mfu {metrics['mfu']:.1%}" if metrics["mfu"] else "")
            + (f"  scale {scale:g}" if scale else "")
            + f"  eta {metrics['eta_s']:.0f} s"
        )
        # If the gradients of an fp16 step overflow, the step is skipped and the scale lowered: the loss is
        # finite.
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at step {self.progress.step}",
                "lower training.learning_rate, set training.max_grad_norm, or use bf16 or fp32; "
                "the last checkpoint is from before this step",
            )
