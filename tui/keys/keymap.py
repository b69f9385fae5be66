"""The keys that a user has changed."""

from __future__ import annotations

import os
from pathlib import Path

from tui.keys.registry import find

#: Names of earlier versions, which a user's file may still have.
_RENAMED = {"preflight.ways": "preflight.routes"}


#: Bytes of the file.
_LARGEST = 1 << 20


def keymap_file() -> Path:
    """Return the path of the user's keymap: ``keys.yaml``, action -> keys."""
    base = os.environ.get("APPDATA") if os.name == "nt" else os.environ.get("XDG_CONFIG_HOME")
    return Path(base or Path.home() / ".config") / "dtui" / "keys.yaml"


def user_keymap(path: Path | None = None) -> dict[str, str]:
    """Return the user's keys by action, without unknown actions and values that are not text."""
    path = path or keymap_file()
    if not path.exists():
        return {}
    # Few users have such a file, and the first frame waits for these imports.
    import yaml

    from fleet import bounded_yaml
    from transports.regular_files import read_regular

    try:
        text = read_regular(path, _LARGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    try:
        found = bounded_yaml.load(text)
    except (yaml.YAMLError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    renamed = {_RENAMED[name]: keys for name, keys in found.items() if name in _RENAMED}
    return {
        name: keys
        for name, keys in {**renamed, **found}.items()
        if isinstance(name, str) and isinstance(keys, str) and find(name) is not None
    }
