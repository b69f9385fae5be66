"""The console's texts in English and Korean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

LANGUAGES = ("en", "ko")


def catalogue(lang: str) -> Mapping[str, str]:
    """Return all texts of a language by key."""
    if lang == "ko":
        from tui.i18n.ko import TEXTS
    else:
        from tui.i18n.en import TEXTS
    return TEXTS


class Texts:
    """Looks up texts: ``texts("nodes.count", count=3)``."""

    def __init__(self, lang: str = "en") -> None:
        if lang not in LANGUAGES:
            raise ValueError(f"no such language: {lang!r} (there are {', '.join(LANGUAGES)})")
        self.lang = lang
        self._texts = catalogue(lang)
        self._say: Callable[[str], str] | None = None
        self._fitted: Callable[[str], str] = str
        if lang == "ko":
            from tui.i18n.particles import with_particles

            self._fitted = with_particles

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of ``key`` with ``values`` filled in; raises KeyError."""
        text = self._texts[key]
        return self._fitted(text.format(**values)) if values else text

    def word(self, group: str, name: str) -> str:
        """Return the word for a value of an open set (a state, a phase), itself when there is none."""
        return self._texts.get(f"{group}.{name}", name)

    def said(self, sentence: str) -> str:
        """Return what fleet says (a cause, a remedy, an error) in this language."""
        if self.lang == "en" or not sentence:
            return sentence
        if self._say is None:
            from tui.i18n.sentences import korean  # its files are read once something is said

            self._say = korean().say
        return self._say(sentence)
