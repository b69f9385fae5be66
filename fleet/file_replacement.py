"""Replaces a file on the master as a whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from fleet.private_files import open_private


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file that only its owner may read; raises OSError.

    A reader sees the old contents or the new ones. The folder must exist.
    """
    new = _new_name(path)
    try:
        with open_private(new, "xb") as file:
            file.write(data)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def replace_user_file(path: Path, text: str) -> None:
    """Replace a file that users edit, and keep its mode; raises OSError.

    A reader sees the old contents or the new ones, which are on the disk before the file has its name. A
    missing folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _new_name(path)
    try:
        with new.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            new.chmod(path.stat().st_mode)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _new_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.new-{secrets.token_hex(4)}")
