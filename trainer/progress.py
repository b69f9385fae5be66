"""How far a run is, in numbers that all ranks share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trainer.settings import Training


@dataclass
class Progress:
    """The position of a run; with the seed it fixes data order and randomness."""

    #: Optimizer steps done.
    step: int = 0
    #: Pairs seen by all ranks together.
    samples: int = 0
    #: Minutes of training, by rank 0's clock, as last agreed.
    minutes: float = 0.0

    @classmethod
    def saved(cls, state: Mapping[str, Any]) -> Progress:
        """Return the position of a checkpoint's state."""
        return cls(int(state["step"]), int(state["samples"]), float(state["minutes"]))

    def as_dict(self) -> dict[str, Any]:
        """Return it for a checkpoint's state."""
        return asdict(self)

    def share(self, training: Training) -> float:
        """Return how much of the run is done, 0 to 1: by steps, or by minutes when they run out earlier."""
        by_time = self.minutes / training.max_minutes if training.max_minutes else 0.0
        return min(1.0, max(self.step / training.max_steps, by_time))

    def finished(self, training: Training) -> bool:
        """Whether nothing is left to do."""
        return self.share(training) >= 1.0
