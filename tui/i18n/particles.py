"""Korean particles after a value: ``gpu3을(를)`` becomes ``gpu3을``."""

from __future__ import annotations

import re

#: As dictionaries write it -> after a consonant, after a vowel.
_FORMS = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "과(와)": ("과", "와"),
    "(으)로": ("으로", "로"),
}
_PARTICLE = re.compile(r"['\"`\]]?(은\(는\)|이\(가\)|을\(를\)|과\(와\)|\(으\)로)")
_ASIDE = re.compile(r" ?\([^()]*\)$")
_HANGUL = range(0xAC00, 0xD7A4)
_RIEUL = 8
#: How digits, and words and letters in Latin script, end when pronounced: in l, in another consonant.
_ENDS_IN_L = re.compile(r"(?:[178L]|le?)$")
_ENDS_IN_CONSONANT = re.compile(r"(?:[036MN]|[mn]e?|ng|[aeiou](?:[bpkct]|ck))$")


def with_particles(text: str, before: str = "") -> str:
    """Return the text with each particle in the form that fits what precedes it, at first ``before``.

    Where the sound of what precedes is unknown, both forms stay.
    """
    if ")" not in text:
        return text
    return _PARTICLE.sub(lambda match: _fitting(match, before), text)


def _fitting(match: re.Match[str], before: str) -> str:
    preceding = _ASIDE.sub("", before + match.string[: match.start()])
    sound = _last_sound(preceding[-3:])
    if sound is None:
        return match.group()
    particle = match.group(1)
    after_consonant, after_vowel = _FORMS[particle]
    open_end = sound == "vowel" or (sound == "l" and particle == "(으)로")
    return match.group().removesuffix(particle) + (after_vowel if open_end else after_consonant)


def _last_sound(before: str) -> str | None:
    """Return ``vowel``, ``l`` or ``consonant``; None after a sign."""
    letter = before[-1:]
    if letter and ord(letter) in _HANGUL:
        final = (ord(letter) - _HANGUL.start) % 28
        return "vowel" if final == 0 else "l" if final == _RIEUL else "consonant"
    if _ENDS_IN_L.search(before):
        return "l"
    if _ENDS_IN_CONSONANT.search(before):
        return "consonant"
    return "vowel" if letter.isascii() and letter.isalnum() else None
