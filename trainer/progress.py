"""How far a run is; the same values on all ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trainer.settings import Training


@dataclass
class TrainingProgress:
    """The position of a run; together with the seed it determines data order and randomness."""

    #: Completed optimizer steps.
    step: int = 0
    #: Pairs that all ranks together have trained on.
    samples: int = 0
    #: Training time in minutes by the clock of rank 0, as of the last record.
    minutes: float = 0.0

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TrainingProgress:
        """Return the position that a checkpoint's state holds."""
        return cls(int(state["step"]), int(state["samples"]), float(state["minutes"]))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for a checkpoint's state."""
        return asdict(self)

    def fraction_done(self, training: Training) -> float:
        """Return the completed fraction of the run: of its steps or of its minutes, whichever is larger."""
        by_time = self.minutes / training.max_minutes if training.max_minutes else 0.0
        return min(1.0, max(self.step / training.max_steps, by_time))

    def is_finished(self, training: Training) -> bool:
        """Return whether the run has reached its last step or minute."""
        return self.fraction_done(training) >= 1.0
