"""Follows the progress that one rank prints, and reduces it to records like those of a metrics file."""

from __future__ import annotations

import re

from fleet.metrics_record import MetricsRecord
from fleet.printed.bars import Bar, bar_of
from fleet.printed.figures import Figures
from fleet.printed.pairs import dictionary_figures, text_figures
from fleet.printed.pattern import pattern_figures
from fleet.terminal.line import render_bytes
from fleet.terminal.stream import LineStream

#: Characters of a line that are read. A bar or a row of figures is shorter.
_LONGEST = 1000
#: Lines of one chunk that are read, from its end: a program that prints without pause costs no more.
_LINES = 24
#: Seconds between two records. A bar is redrawn ten times per second.
_INTERVAL = 1.0
#: What a line with figures contains; a quick test before the line is decoded.
_CANDIDATE = re.compile(
    rb"%\||\xe2\x94\x81|\[[=>.]{10}|loss|step|epoch|iter|\xec\x86\x90\xec\x8b\xa4|\xec\x97\x90\xed\x8f\xad"
    rb"|\xec\x97\x90\xed\x8f\xac|\xec\x8a\xa4\xed\x85\x9d|batch|update",
    re.IGNORECASE,
)
#: Korean words of figures, and what the parser calls them.
_KOREAN = (
    ("검증", "val "), ("평가", "eval "), ("학습률", "lr"), ("에포크", "epoch"), ("에폭", "epoch"),
    ("스텝", "step"), ("손실", "loss"), ("학습", "train "),
)  # fmt: skip
#: A step counter that falls back to less than this part of its total has begun again.
_RESTARTED = 0.5


class PrintedProgress:
    """The figures of one rank's output. ``pattern`` is the user's own (``run.progress``)."""

    def __init__(self, pattern: re.Pattern[str] | None = None) -> None:
        self._pattern = pattern
        self._lines = LineStream()
        self._bar: Bar | None = None
        #: How often the steps of an epoch have begun again: the epoch, for programs that do not print it.
        self._passes = 0
        self._step: int | None = None
        self._steps: int | None = None
        self._epoch: float | None = None
        self._epochs: int | None = None
        self._first_epoch: float | None = None
        #: The count as it is printed, with its total, and whether it is that of an epoch.
        self._within: tuple[int, int | None] | None = None
        self._within_epoch = False
        #: Steps of earlier epochs, for programs whose count begins again and has no total.
        self._offset = 0
        self._fractions = False
        self._loss: float | None = None
        self._lr: float | None = None
        self._seconds: float | None = None
        self._eta: float | None = None
        self._marks: list[tuple[float, int]] = []
        self._changed = False
        self._reported_at: float | None = None

    def feed(self, data: bytes, at: float) -> MetricsRecord | None:
        """Take output that arrived ``at`` (Unix seconds); return a record, at most one per second."""
        lines = self._lines.feed(data)
        if self._lines.unfinished:
            lines.append(self._lines.unfinished)
        candidates = lines if self._pattern else [line for line in lines if _CANDIDATE.search(line)]
        for raw in candidates[-_LINES:]:
            self._read(_shown(raw), at)
        if not self._changed or (self._reported_at is not None and at - self._reported_at < _INTERVAL):
            return None
        return self._record(at)

    def rest(self, at: float) -> MetricsRecord | None:
        """Return the record that the interval held back, None when there is none."""
        return self._record(at) if self._changed else None

    def _read(self, line: str, at: float) -> None:
        if self._pattern is not None:
            own = pattern_figures(self._pattern, line)
            if own is not None:
                self._take(own, at)
            return
        bar = bar_of(line)
        if bar is not None:
            if self._is_main(bar):
                self._take(bar.figures, at)
            return
        figures = dictionary_figures(line)
        if figures is None:
            figures = text_figures(line)
        if figures is not None:
            self._take(figures, at)

    def _is_main(self, bar: Bar) -> bool:
        """Return whether the bar is the one of the training, among several that a program shows."""
        if bar.counts_epochs:
            return True
        known = self._bar
        if known is not None and not _same(known, bar):
            if known.certain and not bar.certain:
                return False
            if known.certain == bar.certain and not _larger(bar, known):
                # An evaluation's bar often has no description either, but fewer steps.
                return False
            self._passes, self._marks = 0, []
        self._bar = bar
        return True

    def _take(self, figures: Figures, at: float) -> None:
        if not figures.stated:
            return
        before = (self._step, self._steps, self._epoch, self._loss, self._lr)
        if figures.loss is not None:
            self._loss = figures.loss
        if figures.lr is not None:
            self._lr = figures.lr
        if figures.epoch is not None:
            self._note_epoch(figures.epoch, figures.epochs, with_step=figures.step is not None)
        if figures.step is not None:
            self._count(figures, at)
        self._seconds = figures.seconds if figures.seconds is not None else self._measured()
        self._eta = figures.eta
        if before != (self._step, self._steps, self._epoch, self._loss, self._lr):
            self._changed = True

    def _note_epoch(self, epoch: float, epochs: int | None, *, with_step: bool) -> None:
        if epoch < 1:
            self._first_epoch = 0.0
        elif self._first_epoch is None:
            self._first_epoch = 1.0 if epoch == 1 or epochs is not None else 0.0
        if epochs is not None:
            # Lightning counts ``Epoch 0/9`` to ``Epoch 9/9``; a bar of epochs counts those that are over.
            self._epochs = epochs + 1 if with_step and self._first_epoch == 0 else epochs
        self._epoch = epoch
        self._fractions = self._fractions or not epoch.is_integer()

    def _count(self, figures: Figures, at: float) -> None:
        """Set the step from the start of the training, from a count that may be within the epoch."""
        step, total = figures.step or 0, figures.steps
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
            self._step = max(0, passes) * total + step
            self._steps = total * self._epochs if self._epochs else None
        else:
            self._step, self._steps = self._offset + step, total
        if not self._marks or self._marks[-1][1] != self._step:
            self._marks = [*self._marks[-9:], (at, self._step)]

    def _measured(self) -> float | None:
        """Return the seconds per step since the oldest of the last ten changes."""
        if len(self._marks) < 2:
            return None
        (began, first), (ended, last) = self._marks[0], self._marks[-1]
        return (ended - began) / (last - first) if last > first and ended > began else None

    def _record(self, at: float) -> MetricsRecord:
        self._changed, self._reported_at = False, at
        step, steps = self._step, self._steps
        if step is None and self._epoch is not None and not self._fractions:
            step, steps = int(self._epoch), self._epochs
        eta = self._eta
        if eta is None and self._seconds is not None and step is not None and steps is not None:
            eta = max(0, steps - step) * self._seconds
        numbers: dict[str, float] = {}
        if self._epoch is not None:
            numbers["epoch"] = self._epoch
        if self._epochs is not None:
            numbers["epochs"] = float(self._epochs)
        if self._within_epoch and self._within is not None and self._within[1] is not None:
            numbers["epoch_step"], numbers["epoch_steps"] = float(self._within[0]), float(self._within[1])
        return MetricsRecord(
            kind="step",
            time=at,
            step=step,
            steps=steps,
            loss=self._loss,
            lr=self._lr,
            step_time=self._seconds,
            eta=eta,
            numbers=numbers,
        )


def _same(one: Bar, other: Bar) -> bool:
    return one.title == other.title and one.figures.steps == other.figures.steps


def _larger(bar: Bar, known: Bar) -> bool:
    return (bar.figures.steps or 0) >= (known.figures.steps or 0)


def _shown(raw: bytes) -> str:
    """Return what a line shows last: the text behind its last carriage return."""
    stripped = raw.rstrip(b"\r")
    text = render_bytes(stripped[stripped.rfind(b"\r") + 1 :][: 4 * _LONGEST]).text[:_LONGEST]
    for word, english in _KOREAN:
        if word in text:
            text = text.replace(word, english)
    return text
