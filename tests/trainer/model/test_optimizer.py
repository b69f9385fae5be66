from __future__ import annotations

import pytest

from trainer.model.optimizer import scheduled_learning_rate
from trainer.settings import Training


def test_the_learning_rate_warms_up_and_decays_to_its_final_value() -> None:
    training = Training(learning_rate=1.0, warmup_steps=10, max_steps=100, final_learning_rate=0.1)
    rates = [scheduled_learning_rate(training, step, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[10], rel=0.05)
    assert rates[100] == pytest.approx(0.1)
