"""Values as YAML text that reads back as the same value."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

_PLAIN = re.compile(r"[\w./~\\][\w./~\\ @=+:%-]*(?<![ :])")
#: Brackets in a plain text are fine in a block, and only there.
_NODE_SET = re.compile(r"[\w.-]+(?:\[[0-9,-]+\][\w.-]*)+")


def entry(fields: Mapping[str, object], indent: int) -> list[str]:
    """Return the lines of one list entry, the dash at column ``indent``."""
    lines = [f"{' ' * (indent + 2)}{key}: {value(content)}" for key, content in fields.items()]
    return [f"{' ' * indent}- {lines[0].lstrip()}", *lines[1:]]


def value(content: object, *, flow: bool = False) -> str:
    """Return a value as YAML on one line; ``flow`` when it is between brackets or braces."""
    if isinstance(content, Mapping):
        items = (f"{scalar(str(key))}: {value(text, flow=True)}" for key, text in content.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(content, tuple | list):
        return "[" + ", ".join(value(one, flow=True) for one in content) + "]"
    if not flow and isinstance(content, str) and _NODE_SET.fullmatch(content):
        return content
    return str(content) if isinstance(content, int) else scalar(str(content))


def scalar(text: str) -> str:
    """Return a text as a YAML scalar, quoted if it would be read as another value, in lists and in blocks."""
    if not text.isprintable():
        plain = (c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
        return f'"{"".join(plain)}"'
    loaded: object = None
    if _PLAIN.fullmatch(text) and ": " not in text:
        try:
            loaded = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            loaded = None
    return text if loaded == text else "'" + text.replace("'", "''") + "'"
