"""The training loop: micro-steps, optimizer steps, and every so often a record that all ranks agree on."""

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

from trainer.diloco import OuterStep
from trainer.errors import DivergedError
from trainer.exchange import GradientExchange
from trainer.journal import Journal
from trainer.mirror import Mirror
from trainer.model import Flow
from trainer.optimizer import AveragedWeights, learning_rate
from trainer.progress import Progress
from trainer.settings import Settings
from trainer.throughput import Throughput
from trainer.world import World


@dataclass
class Parts:
    """What a step needs; ``model`` is the wrapped one, the others know the bare one.

    Gradients meet by ``exchange`` at every step, or weights by ``outer`` every so many; neither on one rank.
    """

    model: nn.Module
    optimizer: Any
    average: AveragedWeights
    flow: Flow
    exchange: GradientExchange | None = None
    outer: OuterStep | None = None
    mirror: Mirror | None = None


class Loop:
    """Trains until the run is done or all ranks have agreed to stop."""

    def __init__(
        self, settings: Settings, world: World, journal: Journal, parts: Parts, progress: Progress,
        throughput: Throughput, *, clock: Callable[[], float] = time.perf_counter,
    ) -> None:  # fmt: skip
        self.progress = progress
        self._settings, self._world, self._journal, self._parts = settings, world, journal, parts
        self._throughput, self._clock = throughput, clock
        self._generator = torch.Generator(device=world.device)
        self._micro = settings.training.gradient_accumulation_steps

    def warm_up(self, batches: Iterator[dict[str, Tensor]]) -> None:
        """Go through one step whose gradients are thrown away.

        After it DDP has its final buckets, so that a resumed run adds up in the same order as an unbroken
        one; what is compiled is compiled; and what does not fit into memory fails here.
        """
        self._gradients(batches)
        self._parts.optimizer.zero_grad()
        self._throughput.data_time = 0.0
        if self._parts.exchange:
            self._parts.exchange.take()

    def run(
        self,
        batches: Iterator[dict[str, Tensor]],
        stop_asked: Callable[[], bool],
        after_step: Callable[[], None],
    ) -> bool:
        """Train; return whether the run was stopped before its end.

        ``after_step`` is called on every rank.
        """
        training = self._settings.training
        begun, base = self._clock(), self.progress.minutes
        since, loss_sum, steps = self._clock(), torch.zeros((), device=self._world.device), 0
        while not self.progress.finished(training):
            rate = learning_rate(training, self.progress.step, self.progress.share(training))
            for group in self._parts.optimizer.param_groups:
                group["lr"] = rate
            loss_sum += self._gradients(batches)
            norm = self._update()
            steps += 1
            self.progress.step += 1
            self.progress.samples += self._micro * training.batch_size * self._world.size
            self._journal.step = self.progress.step
            stopping = False
            if self.progress.step % training.log_every == 0 or self.progress.step >= training.max_steps:
                minutes = base + (self._clock() - begun) / 60
                mean, stopping = self._agree(loss_sum / steps, stop_asked(), minutes)
                self._report(mean, rate, norm, steps, self._clock() - since)
                loss_sum, steps = torch.zeros_like(loss_sum), 0
            after_step()
            if stopping and not self.progress.finished(training):
                return True
            if steps == 0:
                since = self._clock()
        return False

    def _gradients(self, batches: Iterator[dict[str, Tensor]]) -> Tensor:
        """Return the mean loss of a step's micro-batches; their gradients meet once, at the last."""
        accelerator, settings = self._world.accelerator, self._settings
        self._generator.manual_seed(self._seed())
        total = torch.zeros((), device=self._world.device)
        for number in range(self._micro):
            batch = self._next(batches)
            pictures, tokens = batch["pictures"], batch["tokens"]
            if self._parts.mirror:
                pictures, tokens = self._parts.mirror(pictures, tokens, self._generator)
            noise, t, keep = self._parts.flow.draw(pictures, settings.training.text_dropout, self._generator)
            meet = number == self._micro - 1 and self._parts.outer is None
            with nullcontext() if meet else accelerator.no_sync(self._parts.model):
                loss = self._parts.model(pictures, tokens, noise, t, keep)
                accelerator.backward(loss / self._micro)
            total += loss.detach() / self._micro
        return total

    def _seed(self) -> int:
        # Apart from each other for seed, step and rank, by a multiplier each.
        seed, step = self._settings.training.seed, self.progress.step
        return (
            seed * 0x9E3779B97F4A7C15 + step * 0xC2B2AE3D27D4EB4F + self._world.rank * 0x165667B19E3779F9
        ) % (1 << 63)

    def _next(self, batches: Iterator[dict[str, Tensor]]) -> dict[str, Tensor]:
        begun = self._clock()
        batch = next(batches)
        self._throughput.data_time += self._clock() - begun
        return {name: value.to(self._world.device, non_blocking=True) for name, value in batch.items()}

    def _update(self) -> Tensor:
        """Take the optimizer's step; return the gradients' norm before clipping."""
        limit, optimizer = self._settings.training.max_grad_norm, self._parts.optimizer
        norm: Tensor = self._world.accelerator.clip_grad_norm_(
            self._parts.model.parameters(), limit or math.inf
        )
        optimizer.step()
        optimizer.zero_grad()
        if self._parts.outer:
            self._parts.outer.step_done(self.progress.step)
        else:
            self._parts.average.update(self.progress.step)
        return norm

    def _agree(self, loss: Tensor, stop: bool, minutes: float) -> tuple[float, bool]:
        """Return the mean loss of all ranks and whether any was asked to stop; take over rank 0's clock."""
        first = self._world.rank == 0
        told = torch.stack(
            [loss.double(), loss.new_tensor(stop).double(), loss.new_tensor(minutes * first).double()]
        )
        if self._world.size > 1:
            dist.all_reduce(told)
        total, stops, self.progress.minutes = told.tolist()
        return total / self._world.size, stops > 0

    def _report(self, loss: float, rate: float, norm: Tensor, steps: int, seconds: float) -> None:
        scaler = self._world.accelerator.scaler
        scale = float(scaler.get_scale()) if scaler is not None else None
        exchange = self._parts.exchange
        grad_norm = float(norm)
        figures = self._throughput.figures(
            self.progress, steps, seconds, exchange.take() if exchange else None
        )
        self._journal.record(
            "step", step=self.progress.step, loss=loss, lr=rate, grad_norm=grad_norm, scale=scale, **figures
        )
        self._world.accelerator.log({"loss": loss, "lr": rate, **_numbers(figures)}, step=self.progress.step)
        self._journal.say(
            f"step {self.progress.step}/{self._settings.training.max_steps}  loss {loss:.4f}  lr {rate:.2e}  "
            f"grad {grad_norm:.2f}  {figures['samples_s']:.1f} pairs/s  "
            f"{figures['step_time'] * 1000:.0f} ms/step"
            + (f"  mfu {figures['mfu']:.1%}" if figures["mfu"] else "")
            + (f"  scale {scale:g}" if scale else "")
            + f"  eta {figures['eta_s']:.0f} s"
        )
        # An fp16 step whose gradients overflow is left out and the scale lowered; the loss stays finite.
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss} at step {self.progress.step}",
                "lower training.learning_rate, set training.max_grad_norm, or use bf16 or fp32; "
                "the last checkpoint is from before",
            )


def _numbers(figures: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if isinstance(value, float)}
