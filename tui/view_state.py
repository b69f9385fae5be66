"""What the console remembers between starts, and the keys that a person has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

from fleet.frozen import frozen
from tui.actions import BY_ID, MODES
from tui.i18n import LANGUAGES

#: What one mode remembers: plain JSON values, read back through :class:`Kept`.
View = Mapping[str, object]


@frozen
class ViewState:
    """Language, theme, mode and each mode's view of the last session in this project."""

    lang: str = "en"
    theme: str | None = None
    mode: str = "nodes"
    #: Mode -> what its screen has kept.
    views: Mapping[str, View] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> ViewState:
        """Return what was kept; a default for each part that is missing, damaged or of another version."""
        try:
            kept = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return cls()
        read = Kept(kept if isinstance(kept, dict) else {})
        views = read.values.get("views")
        return cls(
            read.text("lang", LANGUAGES, "en"),
            read.text("theme") or None,
            read.text("mode", MODES, "nodes"),
            {mode: view for mode, view in views.items() if mode in MODES and isinstance(view, dict)}
            if isinstance(views, dict)
            else {},
        )

    def save(self, path: Path) -> None:
        """Keep it; a folder that can't be written to is no reason to complain on leaving."""
        beside = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", "utf-8")
            beside.replace(path)
        except OSError:
            return


@frozen
class Kept:
    """Reads what a file says without trusting it: a value of the wrong kind counts as missing."""

    values: Mapping[str, Any]

    def text(self, key: str, among: Collection[str] | None = None, default: str = "") -> str:
        """Return a text, one of ``among`` where that is given."""
        value = self.values.get(key)
        return value if isinstance(value, str) and (among is None or value in among) else default

    def flag(self, key: str) -> bool:
        """Return whether it says true."""
        return self.values.get(key) is True

    def number(self, key: str, among: Collection[int], default: int) -> int:
        """Return a whole number of ``among``."""
        value = self.values.get(key)
        return value if type(value) is int and value in among else default

    def names(self, key: str, among: Collection[str]) -> tuple[str, ...]:
        """Return those texts of a list that are ``among``, each once."""
        value = self.values.get(key)
        listed = value if isinstance(value, list) else []
        return tuple(dict.fromkeys(name for name in listed if isinstance(name, str) and name in among))


def keymap_file() -> Path:
    """Return where a person's own keys are: ``keys.yaml``, action -> keys."""
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config") / "dtui" / "keys.yaml"


def user_keymap(path: Path | None = None) -> dict[str, str]:
    """Return the person's keys by action; what names no action, or is no text, is left out."""
    try:
        text = (path or keymap_file()).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    import yaml  # few have such a file, and the first frame waits for this

    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: keys for name, keys in found.items() if name in BY_ID and isinstance(keys, str)}
