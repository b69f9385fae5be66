"""What a plan is worth that nobody drew: the training plan of the nearest text, and any training plan."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.words import PAD

_BLOCK = 64


class NearestText:
    """TF-IDF over word slots, with cosine similarity; memory grows with the words that are used."""

    def __init__(self, tokens: NDArray[np.int32]) -> None:
        self._slots = np.unique(tokens[tokens != PAD])
        counts = self._counts(tokens)
        seen = (counts > 0).sum(0)
        self._weight = (np.log((1 + len(tokens)) / (1 + seen)) + 1).astype(np.float32)
        self._texts = self._scaled(counts)

    def nearest(self, tokens: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return for each text (N, T) the number of the training text nearest to it."""
        found = []
        for at in range(0, len(tokens), _BLOCK):
            likeness = self._scaled(self._counts(tokens[at : at + _BLOCK])) @ self._texts.T
            found.append(likeness.argmax(1))
        return np.concatenate(found)

    def _counts(self, tokens: NDArray[np.int32]) -> NDArray[np.float32]:
        at = np.searchsorted(self._slots, tokens).clip(max=len(self._slots) - 1)
        known = (self._slots[at] == tokens) & (tokens != PAD)
        counts = np.zeros((len(tokens), len(self._slots)), np.float32)
        np.add.at(counts, (np.nonzero(known)[0], at[known]), 1)
        return counts

    def _scaled(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        weighted = counts * self._weight
        scaled: NDArray[np.float32] = weighted / np.linalg.norm(weighted, axis=1, keepdims=True).clip(1e-9)
        return scaled
