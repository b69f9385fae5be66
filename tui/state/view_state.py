"""What the console remembers between starts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict

from agent.wire.frames import parse_json
from tui.i18n import LANGUAGES
from tui.keys.action import MODES

#: What one mode remembers: plain JSON values, read back through :class:`SavedValues`.
View = Mapping[str, object]


class ViewState(Struct, frozen=True):
    """Language, theme, mode and each mode's view of the last session in this project."""

    lang: str = "en"
    theme: str | None = None
    mode: str = "nodes"
    #: Mode -> what its screen has kept.
    views: Mapping[str, View] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> ViewState:
        """Return what was kept; a default for each part that is missing, damaged or of another version."""
        if not path.exists():
            return cls()
        # Not needed for the first frame of a project's first session.
        from fleet.private_files import read_private

        try:
            kept = parse_json(read_private(path))
        except (OSError, ValueError):
            return cls()
        read = SavedValues(kept if isinstance(kept, dict) else {})
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
        """Save it. Errors are ignored: the console is about to quit."""
        # Not needed for the first frame.
        from fleet.file_replacement import replace_file
        from fleet.private_files import make_folder

        with suppress(OSError):
            make_folder(path.parent)
            replace_file(path, (json.dumps(asdict(self), ensure_ascii=False) + "\n").encode("utf-8"))


class SavedValues(Struct, frozen=True):
    """Validates the values of a file: one of the wrong kind counts as missing."""

    values: Mapping[str, Any]

    def text(self, key: str, among: Collection[str] | None = None, default: str = "") -> str:
        """Return a text, one of ``among`` where that is given."""
        value = self.values.get(key)
        return value if isinstance(value, str) and (among is None or value in among) else default

    def flag(self, key: str) -> bool:
        """Return whether the value is true."""
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
