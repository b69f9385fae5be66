"""Sentences that fleet says, in another language.

fleet, the transports and the agents speak English, in events, files and frames: that is what programs, logs
and recordings hold, on whichever machine they were written. A console in another language knows their
sentences by the words that stand fast, takes the values out and puts them into its own sentence. So a
recording of last year, or an agent's answer, reads like what has just happened.

A catalogue is a text file: a sentence, and indented below it the same in the other language::

    port {port} is reserved by Windows ({first}-{last}, often Hyper-V)
        포트 {port}은(는) Windows가 예약했습니다 ({first}-{last}, 흔히 Hyper-V)

``{name}`` is any text, which may be a sentence itself (a cause within a result), ``{name:word}`` one
without a blank, ``{name:list}`` such words with commas between, ``{name:size}`` a number of bytes,
``{name:addresses}`` IP addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from tui.i18n.particles import with_particles

_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_KINDS = {
    None: r"(.*?)",
    "word": r"(\S+?)",
    "list": r"(\S+?(?:, \S+?)*)",
    "size": r"([\d.]+ [KMGT]?B)",
    "addresses": r"([\da-f.:]+(?:%\w+)?(?:, [\da-f.:]+(?:%\w+)?)*)",
}
#: Between sentences that stand in one text, in the order in which it is taken apart -> in the other language.
_JOINTS = {"\n": "\n", "; ": ". ", ". ": ". ", ": ": ": "}
#: Texts that are kept once said: screens are drawn again and again.
_KEPT = 2048


class CatalogueError(ValueError):
    """A catalogue's file is not what it should be."""


class Sentence:
    """One sentence with holes for values, and how another language says it."""

    def __init__(self, english: str, other: str) -> None:
        parts = _HOLE.split(english)
        self.words, self.names, self.kinds = parts[::3], parts[1::3], parts[2::3]
        self.english, self.other = english, other
        #: How much of it stands fast: the more, the surer is a match.
        self.weight = sum(map(len, self.words))
        if sorted(self.names) != sorted(name for name, _ in _HOLE.findall(other)):
            raise CatalogueError(f"other values in {other!r} than in {english!r}")
        if not all(self.words[1:-1]) or len(set(self.names)) != len(self.names) or not self.weight:
            raise CatalogueError(f"its values can't be told apart: {english!r}")
        self._pattern: re.Pattern[str] | None = None

    def values_in(self, text: str) -> Mapping[str, str] | None:
        """Return the values if the text is this sentence, else None."""
        if not text.startswith(self.words[0]) or not text.endswith(self.words[-1]):
            return None
        if self._pattern is None:  # of hundreds, few are ever needed
            holes = [_KINDS[kind] for kind in self.kinds]
            words = [re.escape(word) for word in self.words]
            pattern = words[0] + "".join(map(str.__add__, holes, words[1:]))
            self._pattern = re.compile(pattern, re.DOTALL)
        found = self._pattern.fullmatch(text)
        return dict(zip(self.names, found.groups(), strict=True)) if found else None

    def said(self, values: Mapping[str, str]) -> str:
        """Return it in the other language."""
        return _HOLE.sub(lambda hole: values[hole.group(1)], self.other)


class Sentences:
    """A catalogue: pairs of a sentence and its translation."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.all = sorted((Sentence(*pair) for pair in pairs), key=lambda one: -one.weight)
        self._whole = {one.words[0]: one.other for one in self.all if not one.names}
        self._open = [one for one in self.all if one.names]
        self.say = lru_cache(_KEPT)(self._said)

    def _said(self, text: str) -> str:
        """Return the text in the other language, as it is where it is no sentence of the catalogue."""
        if text in self._whole:
            return self._whole[text]
        for sentence in self._open:
            if (values := sentence.values_in(text)) is not None:
                return with_particles(
                    sentence.said({name: self.say(value) for name, value in values.items()})
                )
        return self._taken_apart(text)

    def _taken_apart(self, text: str) -> str:
        for joint, other in _JOINTS.items():
            at = text.find(joint)
            while at >= 0:
                head, rest = text[:at], text[at + len(joint) :]
                said = self.say(head), self.say(rest)
                if said != (head, rest):
                    return said[0] + other + said[1]
                at = text.find(joint, at + 1)
        return text


def read_pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a catalogue's text; raises CatalogueError."""
    english = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("    ") == (english is None):
            raise CatalogueError(f"line {number}: a sentence and its translation take turns")
        if english is None:
            english = line
        else:
            yield english, line[4:]
            english = None
    if english is not None:
        raise CatalogueError(f"not translated: {english}")


def korean_files() -> list[Path]:
    """Return the files of the Korean catalogue, one a topic."""
    return sorted(Path(__file__).with_name("korean").glob("*.txt"))


def korean() -> Sentences:
    """Return the Korean catalogue."""
    return Sentences(pair for path in korean_files() for pair in read_pairs(path.read_text("utf-8")))
