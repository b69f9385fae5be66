"""Sentences that fleet says, in another language.

fleet, the transports and the agents speak English, in events, files and frames: that is what programs, logs
and recordings hold, on whichever machine they were written. A console in another language knows their
sentences by the words that stand fast, takes the values out and puts them into its own sentence. So a
recording of last year, or an agent's answer, reads like what has just happened.

A catalogue is a text file: a sentence, and indented below it the same in the other language::

    port {port} is reserved by Windows ({first}-{last}, often Hyper-V)
        포트 {port}은(는) Windows가 예약했습니다 ({first}-{last}, 흔히 Hyper-V)

``{name}`` is any text, which may be a sentence itself (a cause within a result); ``{name:word}`` is one
without a blank, and so on: the kinds keep a sentence from being seen where it is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from tui.i18n.particles import with_particles

_HOLE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_KINDS = {
    None: r"(.*?)",
    "word": r"(\S+?)",
    "list": r"(\S+?(?:, \S+?)*)",
    "quoted": r"('.*?'|\".*?\")",
    "size": r"([\d.]+ [kKMGT]?B)",
    "words": r"([^(),:;]+)",
    "count": r"(\d+ [a-z]+(?: [a-z]+)?)",
    "endpoint": r"(\S*[@:]\S+)",
    "exit": r"((?:exit code|signal|status) \S+(?: \([^()]*\))?)",
    "addresses": r"([\da-f.:]+(?:%\w+)?(?:, [\da-f.:]+(?:%\w+)?)*)",
}
#: Where a sentence may stand: behind the name of a node, a file, a key or a way to a node.
_PLACE = re.compile(r"([^\s;]+(?: \S+)?): (.*)", re.DOTALL)
#: A sentence with the line of a log that tells it.
_QUOTED = re.compile(r"(.*) (\((?:'.*'|\".*\")\))", re.DOTALL)
#: Between sentences that stand in one line -> the same in the other language.
_JOINTS = {"; ": ". ", ". ": ". ", ": ": ": ", ", ": ", "}
#: Those at which even a line is taken apart of which only some is known: others write commas too.
_MARKS = ("; ", ". ", ": ")
#: Characters of a line that is taken apart; more is the output of a program.
_LONGEST = 600
#: Texts that are kept once said: screens are drawn again and again.
_KEPT = 4096


#: Sentences are looked up by so many of their first letters.
_KEY = 3


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
        if 0 < len(self.words[0]) < _KEY and self.names:
            raise CatalogueError(f"it begins with too little to be found by: {english!r}")
        self._pattern: re.Pattern[str] | None = None

    def values_in(self, text: str) -> Mapping[str, str] | None:
        """Return the values if the text is this sentence, else None."""
        if not text.startswith(self.words[0]) or not text.endswith(self.words[-1]):
            return None
        if self.words[1] not in text:
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
        self._exact = {one.words[0]: one.other for one in self.all if not one.names}
        self._led_by_words: dict[str, list[Sentence]] = {}
        self._led_by_a_value: list[Sentence] = []
        for one in self.all:
            if one.names and one.words[0]:
                self._led_by_words.setdefault(one.words[0][:_KEY], []).append(one)
            elif one.names:
                self._led_by_a_value.append(one)
        self.say = lru_cache(_KEPT)(self._say)
        self._known = lru_cache(_KEPT)(self._find)

    def _say(self, text: str) -> str:
        """Return the text in the other language; what is no sentence of the catalogue stays as it is."""
        if "\n" in text:
            return "\n".join(map(self.say, text.split("\n")))
        known = self._known(text)
        if known is not None:
            return known
        for joint in _MARKS if len(text) <= _LONGEST else ():
            for head, rest in _cuts(text, joint):
                said, also = self._known(head), self._known(rest)
                if said is not None:
                    return said + joint + self.say(rest)
                if also is not None:
                    return self.say(head) + joint + also
        return text

    def knows(self, text: str) -> bool:
        """Return whether the text is made of sentences of the catalogue."""
        return all(self._known(line) is not None for line in text.split("\n"))

    def _find(self, text: str) -> str | None:
        """Return what is said for a line that is known as a whole."""
        if text in self._exact:
            return self._exact[text]
        return (
            self._all_of(text, "; ")
            or _filled(self._led_by_words.get(text[:_KEY], ()), text, self.say)
            or self._behind_its_place(text)
            or _filled(self._led_by_a_value, text, self.say)
            or self._before_a_quotation(text)
            or self._all_of(text, ". ", ": ", ", ")
        )

    def _behind_its_place(self, text: str) -> str | None:
        found = _PLACE.fullmatch(text)
        said = self._known(found[2]) if found else None
        return f"{found[1]}: {said}" if found and said is not None else None

    def _before_a_quotation(self, text: str) -> str | None:
        found = _QUOTED.fullmatch(text)
        said = self._known(found[1]) if found else None
        return f"{said} {found[2]}" if found and said is not None else None

    def _all_of(self, text: str, *joints: str) -> str | None:
        """Return what is said for several sentences of the catalogue with a joint between each two."""
        for joint in joints if len(text) <= _LONGEST else ():
            for head, rest in _cuts(text, joint):
                said = self._known(head)
                also = self._known(rest) if said is not None else None
                if said is not None and also is not None:
                    return said + _JOINTS[joint] + also
        return None


def _filled(sentences: Iterable[Sentence], text: str, say: Callable[[str], str]) -> str | None:
    """Return what is said for the first sentence that the text is, None when it is none of them."""
    for sentence in sentences:
        if (values := sentence.values_in(text)) is not None:
            return with_particles(sentence.said({name: say(value) for name, value in values.items()}))
    return None


def _cuts(text: str, joint: str) -> Iterator[tuple[str, str]]:
    """Yield what stands before and behind each place of the joint."""
    at = text.find(joint)
    while at >= 0:
        yield text[:at], text[at + len(joint) :]
        at = text.find(joint, at + 1)


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
