"""A tokenizer without a vocabulary: a word's hash is its token id. CJK text is split by character."""

from __future__ import annotations

import re
import unicodedata
import zlib

import numpy as np
from numpy.typing import NDArray

PAD_ID = 0
_CJK = "\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")


def split_words(text: str) -> list[str]:
    """Return the words in lower case, without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower())


def encode_text(text: str, length: int, vocabulary_size: int) -> NDArray[np.int32]:
    """Return int32 (length,) token ids from 1 to ``vocabulary_size`` - 1, truncated or padded with PAD_ID."""
    token_ids = np.full(length, PAD_ID, np.int32)
    for index, word in enumerate(split_words(text)[:length]):
        token_ids[index] = zlib.crc32(word.encode()) % (vocabulary_size - 1) + 1
    return token_ids
