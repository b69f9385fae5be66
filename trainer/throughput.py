"""How fast a run is and what part of the machine that is."""

from __future__ import annotations

from typing import Any

import torch

from trainer.model import Shape
from trainer.progress import Progress
from trainer.settings import Training

#: Dense half-precision tensor-core TFLOP/s by the makers' data sheets, first match counts.
_PEAKS = (
    ("H200", 989), ("H100 PCIe", 756), ("H100", 989), ("GH200", 989), ("B200", 2250), ("A100", 312),
    ("A30", 165), ("L40S", 362), ("L40", 181), ("L4", 121), ("A6000", 155), ("6000 Ada", 364), ("5090", 210),
    ("5080", 113), ("4090", 165), ("4080", 97), ("4070 Ti", 80), ("4070", 58), ("3090", 71), ("3080", 60),
    ("V100", 112), ("T4", 65),
)  # fmt: skip


def peak_flops(device: torch.device, precision: str) -> float | None:
    """Return what the processor could do a second in this precision, None when that is not known."""
    if device.type != "cuda" or precision not in ("fp16", "bf16"):
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak * 1e12 for part, peak in _PEAKS if part in name), None)


class Throughput:
    """Turns the time of some steps into a record's figures, for one rank."""

    def __init__(self, shape: Shape, training: Training, world_size: int, device: torch.device) -> None:
        self.data_time = 0.0
        self._training, self._world_size, self._device = training, world_size, device
        self._flops = 3 * shape.forward_flops()
        self._peak = peak_flops(device, training.mixed_precision)

    def figures(self, progress: Progress, steps: int, seconds: float, comm: float | None) -> dict[str, Any]:
        """Return what ``steps`` steps in ``seconds`` mean, with ``comm`` seconds of gradients under way.

        ``mfu`` is None where the processor's peak is not known; ``comm_time`` where nothing is measured.
        Times are seconds a step; data and communication overlap with computing.
        """
        training = self._training
        pairs = steps * training.batch_size * training.gradient_accumulation_steps
        step_time = seconds / steps
        share = progress.share(training)
        left = (training.max_steps - progress.step) * step_time
        if training.max_minutes:
            left = min(left, (training.max_minutes - progress.minutes) * 60)
        figures = {
            "samples_s": pairs * self._world_size / seconds,
            "step_time": step_time,
            "data_time": self.data_time / steps,
            "comm_time": None if comm is None else comm / steps,
            "mem_gb": self._memory(),
            "mfu": pairs * self._flops / seconds / self._peak if self._peak else None,
            "eta_s": max(0.0, left),
            "samples": progress.samples,
            "progress": share,
        }
        self.data_time = 0.0
        return figures

    def _memory(self) -> float | None:
        if self._device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated(self._device) / 1e9
