"""Follows the progress that one rank prints, and reduces it to records like those of a metrics file."""

from __future__ import annotations

import re

from fleet.metrics_record import MetricsRecord
from fleet.printed.bars import bar_of
from fleet.printed.figures import Figures
from fleet.printed.main_bar import BarRole, MainBar
from fleet.printed.pairs import dictionary_figures, text_figures
from fleet.printed.pattern import pattern_figures
from fleet.printed.step_count import StepCount
from fleet.printed.step_time import StepTime
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


class PrintedProgress:
    """The figures of one rank's output. ``pattern`` is the user's own (``run.progress``)."""

    def __init__(self, pattern: re.Pattern[str] | None = None) -> None:
        self._pattern = pattern
        self._lines = LineStream()
        self._main_bar = MainBar()
        self._count = StepCount()
        self._step_time = StepTime()
        self._loss: float | None = None
        self._lr: float | None = None
        #: As the program prints them, else measured.
        self._seconds: float | None = None
        self._eta: float | None = None
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
            role = self._main_bar.role_of(bar)
            if role is BarRole.NEW_MAIN:
                self._count.begin_again()
                self._step_time.clear()
            if role is not BarRole.OTHER:
                self._take(bar.figures, at)
            return
        figures = dictionary_figures(line)
        if figures is None:
            figures = text_figures(line)
        if figures is not None:
            self._take(figures, at)

    def _take(self, figures: Figures, at: float) -> None:
        if not figures.stated:
            return
        before = self._shown_figures()
        if figures.loss is not None:
            self._loss = figures.loss
        if figures.lr is not None:
            self._lr = figures.lr
        self._count.take(figures)
        if figures.step is not None and self._count.step is not None:
            self._step_time.add(self._count.step, at)
        self._seconds = figures.seconds if figures.seconds is not None else self._step_time.seconds
        self._eta = figures.eta
        self._changed = self._changed or before != self._shown_figures()

    def _shown_figures(self) -> tuple[float | None, ...]:
        count = self._count
        return (count.step, count.steps, count.epoch, self._loss, self._lr)

    def _record(self, at: float) -> MetricsRecord:
        self._changed, self._reported_at = False, at
        step, steps = self._count.position()
        eta = self._eta
        if eta is None and self._seconds is not None and step is not None and steps is not None:
            eta = max(0, steps - step) * self._seconds
        return MetricsRecord(
            kind="step",
            time=at,
            step=step,
            steps=steps,
            loss=self._loss,
            lr=self._lr,
            step_time=self._seconds,
            eta=eta,
            numbers=self._count.numbers(),
        )


def _shown(raw: bytes) -> str:
    """Return what a line shows last: the text behind its last carriage return."""
    stripped = raw.rstrip(b"\r")
    text = render_bytes(stripped[stripped.rfind(b"\r") + 1 :][: 4 * _LONGEST]).text[:_LONGEST]
    for word, english in _KOREAN:
        if word in text:
            text = text.replace(word, english)
    return text
