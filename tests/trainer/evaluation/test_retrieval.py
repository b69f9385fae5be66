from __future__ import annotations

import numpy as np

from trainer.evaluation.retrieval import NearestTextIndex


def test_the_nearest_text_shares_rare_words() -> None:
    train = np.array([[1, 2, 3, 0], [1, 2, 4, 0], [1, 5, 5, 6]], np.int32)
    texts = np.array([[1, 4, 0, 0], [6, 5, 99, 0], [3, 2, 1, 0]], np.int32)
    assert NearestTextIndex(train).nearest(texts).tolist() == [1, 2, 0]
