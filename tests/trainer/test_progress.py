from __future__ import annotations

from trainer.progress import TrainingProgress
from trainer.settings import Training


def test_a_run_ends_by_steps_or_minutes() -> None:
    training = Training(max_steps=100, max_minutes=10)
    assert TrainingProgress(step=50, minutes=2).fraction_done(training) == 0.5
    assert TrainingProgress(step=50, minutes=10).is_finished(training)
    assert TrainingProgress(step=100).is_finished(training)
