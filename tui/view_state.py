"""What the console remembers between starts, and the keys that a person has changed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tui.actions import BY_ID
from tui.i18n import LANGUAGES


@dataclass(frozen=True, slots=True)
class ViewState:
    """Language and theme of the last session in this project."""

    lang: str = "en"
    theme: str | None = None

    @classmethod
    def load(cls, path: Path) -> ViewState:
        """Return what was kept; the defaults when there is nothing usable."""
        try:
            kept = json.loads(path.read_text("utf-8"))
            lang, theme = kept.get("lang"), kept.get("theme")
        except (OSError, ValueError, AttributeError):
            return cls()
        return cls(lang if lang in LANGUAGES else "en", theme if isinstance(theme, str) else None)

    def save(self, path: Path) -> None:
        """Keep it; a folder that can't be written to is no reason to complain on leaving."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        except OSError:
            return


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
