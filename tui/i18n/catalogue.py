"""Translations by message id, read from gettext files (``ko/*.po``).

An entry's ``msgctxt`` is the message's id, its ``msgid`` the English template, its ``msgstr`` the translated
template with the same arguments. ``scripts/translations.py`` keeps the files in step with the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import polib


def catalogue_files(lang: str) -> list[Path]:
    """Return the paths of a language's files."""
    return sorted((Path(__file__).parent / lang).glob("*.po"))


@lru_cache
def templates(lang: str) -> Mapping[str, str]:
    """Return message id -> translated template, without those that are not translated."""
    return {
        entry.msgctxt: entry.msgstr
        for path in catalogue_files(lang)
        for entry in polib.pofile(path)
        if entry.msgctxt and entry.translated()
    }
