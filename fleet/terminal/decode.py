"""From bytes that a program wrote to text."""

from __future__ import annotations

import re

#: The rest of a UTF-8 character at the start of a piece, and the start of one at its end.
_CUT = re.compile(rb"\A([\x80-\xbf]{0,3})(.*?)([\xc2-\xf4][\x80-\xbf]{0,2})?\Z", re.DOTALL)


def decode(raw: bytes) -> str:
    """Return ``raw`` as UTF-8, else as cp949 (a Korean Windows), else as UTF-8 with U+FFFD.

    A piece of UTF-8 that starts or ends within a character is still UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    cut = _CUT.match(raw)
    if cut is not None and not cut[2].isascii():
        try:
            cut[2].decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:
            return raw.decode("utf-8", "replace")
    try:
        return raw.decode("cp949")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")
