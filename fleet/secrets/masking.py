"""Values and texts with every secret masked, for what dtui records, prints and reports.

A secret is found by its name (:mod:`fleet.secrets.names`), wherever the pair of name and value stands: in
mappings and lists, in ``--flag=value`` and ``NAME=value``, and as the password of an address. Numbers and
booleans are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from fleet.secrets.names import is_secret_name

#: The replacement of a secret.
MASK: Final = "(not kept)"

_USER_IN_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}://)(?P<user>[^\s/'\"]*)@")
#: A name with the sign between it and its value: ``=``, ``:``, or the blank after an option.
_NAMED: Final = re.compile(
    r"(?<![\w.-])(?:(?P<name>-{0,2}[^\W\d][\w.-]{0,255})[\"']?\s{0,8}[=:]\s{0,8}"
    r"|(?<!\S)(?P<option>--?[^\W\d][\w.-]{0,255})\s{1,8}(?!-))"
)
_VALUE: Final = re.compile(
    r"(?:(?:bearer|basic|token)\s{1,8})?(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}\])]+)", re.IGNORECASE
)
_BEARER: Final = re.compile(r"\b(?P<word>bearer)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"(?P<name>-{0,2}[^\W\d][\w.-]{0,255})=(?P<value>.*)", re.DOTALL)
#: ``{name: WANDB_API_KEY, value: ...}``: where the name is a value itself.
_NAMING: Final = ("name", "key", "variable")


def masked(value: object, name: str = "") -> object:
    """Return the value as it may be recorded under ``name``: every secret text in it is masked.

    Mappings, lists and tuples are followed to any depth; other objects are returned as they are.
    """
    return _masked(value, is_secret_name(name))


def _masked(value: object, secret: bool) -> object:
    if isinstance(value, str):
        if secret:
            return MASK if value else value
        return masked_text(value)
    if isinstance(value, bytes):
        return MASK if secret else value
    if isinstance(value, Mapping):
        naming = any(isinstance(value.get(word), str) and is_secret_name(value[word]) for word in _NAMING)
        return {
            key: _masked(
                inner, secret or is_secret_name(str(key)) or (naming and str(key) in ("value", "default"))
            )
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return _masked_list(value, secret)
    return value


def _masked_list(values: Sequence[object], secret: bool) -> list[object]:
    result: list[object] = []
    expected = False
    for value in values:
        if isinstance(value, str) and not secret:
            is_option = value.startswith("-") and "=" not in value and value.strip("-") != ""
            if expected and not is_option:
                result.append(MASK)
                expected = False
                continue
            expected = is_option and is_secret_name(value)
            result.append(_masked_argument(value))
        else:
            result.append(_masked(value, secret))
            expected = False
    return result


def masked_arguments(arguments: Sequence[str]) -> list[str]:
    """Return an argument list with ``--flag=value``, ``--flag value`` and ``NAME=value`` masked."""
    return [str(word) for word in _masked_list(arguments, False)]


def _masked_argument(word: str) -> str:
    match = _ASSIGNED.fullmatch(word)
    if match is not None and is_secret_name(match["name"]):
        # All of the rest is the value, blanks included: the shell has split the words already.
        return f"{match['name']}={MASK}"
    return masked_text(word)


def masked_text(text: str) -> str:
    """Return a text with the secrets of addresses, pairs, options and headers in it masked; linear time."""
    if "://" in text:
        text = _USER_IN_URL.sub(_masked_user, text)
    return _BEARER.sub(rf"\g<word> {MASK}", _masked_pairs(text))


def _masked_pairs(text: str) -> str:
    pieces: list[str] = []
    kept = at = 0
    while (named := _NAMED.search(text, at)) is not None:
        at = named.end()
        if not is_secret_name(named["name"] or named["option"]):
            continue  # its value may contain a pair: url=https://host?token=...
        value = _VALUE.match(text, at)
        if value is not None and not MASK.startswith(value[0]):
            pieces += (text[kept:at], MASK)
            kept = at = value.end()
    return "".join((*pieces, text[kept:]))


def has_url_password(text: str) -> bool:
    """Return whether an address in the text carries a password or an access token."""
    return "://" in text and _USER_IN_URL.sub(_masked_user, text) != text


def _masked_user(match: re.Match[str]) -> str:
    user, colon, _ = match["user"].partition(":")
    if colon:
        return f"{match['scheme']}{user}:{MASK}@"
    # https://TOKEN@host is how git takes an access token; ssh://git@host names an account.
    token = match["scheme"].lower() in ("http://", "https://") and user not in ("", "git")
    return f"{match['scheme']}{MASK}@" if token else match[0]
