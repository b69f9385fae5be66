"""Retrieval of training texts by TF-IDF, for the retrieval baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.tokenizer import PAD_ID

_BATCH_SIZE = 64


class NearestTextIndex:
    """TF-IDF over token ids, with cosine similarity; memory grows with the number of different ids."""

    def __init__(self, token_ids: NDArray[np.int32]) -> None:
        self._vocabulary = np.unique(token_ids[token_ids != PAD_ID])
        counts = self._count(token_ids)
        document_frequency = (counts > 0).sum(0)
        idf = np.log((1 + len(token_ids)) / (1 + document_frequency)) + 1
        self._idf = idf.astype(np.float32)
        self._texts = self._tf_idf(counts)

    def nearest(self, token_ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the index of the nearest indexed text for each text (N, T)."""
        nearest = []
        for start in range(0, len(token_ids), _BATCH_SIZE):
            batch = token_ids[start : start + _BATCH_SIZE]
            similarity = self._tf_idf(self._count(batch)) @ self._texts.T
            nearest.append(similarity.argmax(1))
        return np.concatenate(nearest)

    def _count(self, token_ids: NDArray[np.int32]) -> NDArray[np.float32]:
        columns = np.searchsorted(self._vocabulary, token_ids).clip(max=len(self._vocabulary) - 1)
        known = (self._vocabulary[columns] == token_ids) & (token_ids != PAD_ID)
        counts = np.zeros((len(token_ids), len(self._vocabulary)), np.float32)
        np.add.at(counts, (np.nonzero(known)[0], columns[known]), 1)
        return counts

    def _tf_idf(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        weighted = counts * self._idf
        unit: NDArray[np.float32] = weighted / np.linalg.norm(weighted, axis=1, keepdims=True).clip(1e-9)
        return unit
