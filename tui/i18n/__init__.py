"""The console's texts in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping

from agent.wire.message import Message, filled, pieces
from agent.wire.units import duration
from tui.i18n.en import TEXTS
from tui.i18n.particles import with_particles
from tui.i18n.standalone import begins_with_name, capitalize, end_with_stop
from tui.i18n.units import KOREAN_FORMATS, korean_duration

LANGUAGES = ("en", "ko")
#: Before the keys of screen labels, where the catalogue has them among the ids of messages.
LABEL = "screen."


def label(group: str, name: str) -> Message:
    """Return the label of a value of an open set (a state, a phase) as a message, the value without one."""
    key = f"{group}.{name}"
    return Message(TEXTS[key], id=LABEL + key) if key in TEXTS else Message(name)


class Texts:
    """Texts in one language: screen labels by key, ``texts("nodes.count", count=3)``, and messages."""

    def __init__(self, lang: str = "en") -> None:
        if lang not in LANGUAGES:
            raise ValueError(f"no such language: {lang!r} (there are {', '.join(LANGUAGES)})")
        self.lang = lang
        self._templates: Mapping[str, str] = {}
        if lang != "en":
            from tui.i18n.catalogue import templates  # English needs no catalogue and no parser for one

            self._templates = templates(lang)

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of ``key`` with ``values`` filled in; raises KeyError."""
        english = TEXTS[key]
        template = self._templates.get(LABEL + key)
        if not values:
            return template or english
        return filled(english, values) if template is None else self._filled(template, values)

    def word(self, group: str, name: str) -> str:
        """Return the word for a value of an open set (a state, a phase), itself when there is none."""
        key = f"{group}.{name}"
        return self._templates.get(LABEL + key) or TEXTS.get(key, name)

    def translate(self, text: str) -> str:
        """Return a message in this language, and foreign text unchanged."""
        if self.lang == "en" or not text:
            return text
        template = self._templates.get(text.id) if isinstance(text, Message) else None
        if template is None or not isinstance(text, Message):
            return str(text)
        try:
            return self._filled(template, text.args)
        except (LookupError, ValueError, TypeError):  # arguments of another version, or of a hostile node
            return str(text)

    def duration(self, seconds: float) -> str:
        """Return a duration with the units of this language."""
        return duration(seconds) if self.lang == "en" else korean_duration(seconds)

    def capitalized(self, text: str) -> str:
        """Return a message in this language with a capital first letter, to start a line."""
        translated = self.translate(text)
        return translated if self.lang != "en" or begins_with_name(text) else capitalize(translated)

    def sentence(self, text: str) -> str:
        """Return a message in this language as a sentence on its own, with a full stop."""
        return end_with_stop(self.capitalized(text))

    def _filled(self, template: str, args: Mapping[str, object]) -> str:
        """Return the template with arguments in this language; particles fit what they follow."""
        text = ""
        translated = {name: self._translated(arg) for name, arg in args.items()}
        for literal, value in pieces(template, translated, KOREAN_FORMATS):
            text += with_particles(literal, text) + value
        return text

    def _translated(self, arg: object) -> object:
        if isinstance(arg, Message):
            return self.translate(arg)
        return [self._translated(item) for item in arg] if isinstance(arg, list | tuple) else arg
