"""The speed of a run, and its share of the hardware's peak."""

from __future__ import annotations

from typing import Any

import torch

from trainer.model.config import ModelConfig
from trainer.progress import TrainingProgress
from trainer.settings import Training

#: Dense half-precision tensor-core TFLOP/s from the data sheets; the first match is used.
_PEAK_TFLOPS = (
    ("H200", 989), ("H100 PCIe", 756), ("H100", 989), ("GH200", 989), ("B200", 2250), ("A100", 312),
    ("A30", 165), ("L40S", 362), ("L40", 181), ("L4", 121), ("A6000", 155), ("6000 Ada", 364), ("5090", 210),
    ("5080", 113), ("4090", 165), ("4080", 97), ("4070 Ti", 80), ("4070", 58), ("3090", 71), ("3080", 60),
    ("V100", 112), ("T4", 65),
)  # fmt: skip


def peak_flops(device: torch.device, precision: str) -> float | None:
    """Return the device's peak FLOP/s in this precision, None if unknown."""
    if device.type != "cuda" or precision not in ("fp16", "bf16"):
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak * 1e12 for part, peak in _PEAK_TFLOPS if part in name), None)


class ThroughputMeter:
    """Computes the metrics of some steps from their duration, for one rank."""

    def __init__(
        self, config: ModelConfig, training: Training, world_size: int, device: torch.device
    ) -> None:
        #: Seconds spent waiting for batches since the last metrics.
        self.data_time = 0.0
        self._training, self._world_size, self._device = training, world_size, device
        self._flops = 3 * config.forward_flops()
        self._peak = peak_flops(device, training.mixed_precision)

    def compute_metrics(
        self, progress: TrainingProgress, steps: int, seconds: float, communication: float | None
    ) -> dict[str, Any]:
        """Return the metrics of ``steps`` steps that took ``seconds``, and reset ``data_time``.

        ``communication`` is the time in seconds in which gradients were in flight, None if not measured.
        Times in the result are seconds per step; data loading and communication overlap with computing.
        ``mfu`` is None if the device's peak is unknown.
        """
        training = self._training
        pairs = steps * training.batch_size * training.gradient_accumulation_steps
        step_time = seconds / steps
        remaining = (training.max_steps - progress.step) * step_time
        if training.max_minutes:
            remaining = min(remaining, (training.max_minutes - progress.minutes) * 60)
        metrics = {
            "samples_s": pairs * self._world_size / seconds,
            "step_time": step_time,
            "data_time": self.data_time / steps,
            "comm_time": None if communication is None else communication / steps,
            "mem_gb": self._peak_memory(),
            "mfu": pairs * self._flops / seconds / self._peak if self._peak else None,
            "eta_s": max(0.0, remaining),
            "samples": progress.samples,
            "progress": progress.fraction_done(training),
        }
        self.data_time = 0.0
        return metrics

    def _peak_memory(self) -> float | None:
        if self._device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated(self._device) / 1e9
