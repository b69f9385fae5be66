"""How far a training is, from counts of steps and epochs that begin again or not."""

from __future__ import annotations

from fleet.printed.figures import Figures

#: A step counter that falls back to less than this part of its total has begun again.
_RESTARTED = 0.5


class StepCount:
    """The step from the start of the training, although programs often count within the epoch."""

    def __init__(self) -> None:
        self.step: int | None = None
        self.steps: int | None = None
        self.epoch: float | None = None
        self.epochs: int | None = None
        #: 0.0 or 1.0: the number of the first epoch.
        self._first_epoch: float | None = None
        self._fractions = False
        #: How often the steps of an epoch have begun again: the epoch, for programs that do not print it.
        self._passes = 0
        #: Steps of earlier epochs, for programs whose count begins again and has no total.
        self._offset = 0
        #: The count as it is printed, with its total, and whether it is that of an epoch.
        self._within: tuple[int, int | None] | None = None
        self._within_epoch = False

    def begin_again(self) -> None:
        """Forget the passes: another bar counts from now on."""
        self._passes = 0

    def take(self, figures: Figures) -> None:
        """Take the epoch and the step of a line."""
        if figures.epoch is not None:
            self._take_epoch(figures.epoch, figures.epochs, with_step=figures.step is not None)
        if figures.step is not None:
            self._take_step(figures.step, figures)

    def _take_epoch(self, epoch: float, epochs: int | None, *, with_step: bool) -> None:
        if epoch < 1:
            self._first_epoch = 0.0
        elif self._first_epoch is None:
            self._first_epoch = 1.0 if epoch == 1 or epochs is not None else 0.0
        if epochs is not None:
            # Lightning counts ``Epoch 0/9`` to ``Epoch 9/9``; a bar of epochs counts those that are over.
            self.epochs = epochs + 1 if with_step and self._first_epoch == 0 else epochs
        self.epoch = epoch
        self._fractions = self._fractions or not epoch.is_integer()

    def _take_step(self, step: int, figures: Figures) -> None:
        total = figures.steps
        last = self._within[0] if self._within is not None else None
        fell = last is not None and step < last
        if figures.within_epoch and total is not None:
            passes = int((figures.epoch or 0.0) - (self._first_epoch or 0.0))
        else:
            if fell and total is not None and step <= total * _RESTARTED:
                self._passes += 1
            passes = self._passes
        if fell and total is None and last is not None and figures.epoch is not None:
            self._offset += last
        self._within = (step, total)
        self._within_epoch = total is not None and (figures.within_epoch or passes > 0)
        if self._within_epoch and total is not None:
            self.step = max(0, passes) * total + step
            self.steps = total * self.epochs if self.epochs else None
        else:
            self.step, self.steps = self._offset + step, total

    def position(self) -> tuple[int | None, int | None]:
        """Return the step and the number of steps; epochs, for a program that prints only these."""
        if self.step is None and self.epoch is not None and not self._fractions:
            return int(self.epoch), self.epochs
        return self.step, self.steps

    def numbers(self) -> dict[str, float]:
        """Return the epoch and the step within it as numbers of a record."""
        found: dict[str, float] = {}
        if self.epoch is not None:
            found["epoch"] = self.epoch
        if self.epochs is not None:
            found["epochs"] = float(self.epochs)
        if self._within_epoch and self._within is not None and self._within[1] is not None:
            found["epoch_step"], found["epoch_steps"] = float(self._within[0]), float(self._within[1])
        return found
