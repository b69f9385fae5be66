"""Texts as numbers without a vocabulary: a word's hash is its slot. Korean and other CJK go by character."""

from __future__ import annotations

import re
import unicodedata
import zlib

import numpy as np
from numpy.typing import NDArray

#: Slot of "no word here".
PAD = 0
_CJK = "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")


def words(text: str) -> list[str]:
    """Return the words in lower case; punctuation is left out."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def encode(text: str, length: int, vocabulary: int) -> NDArray[np.int32]:
    """Return int32 (length,) slots from 1 to ``vocabulary`` - 1, cut or filled up with PAD."""
    slots = np.full(length, PAD, np.int32)
    for at, word in enumerate(words(text)[:length]):
        slots[at] = zlib.crc32(word.encode()) % (vocabulary - 1) + 1
    return slots
