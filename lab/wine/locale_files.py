"""Compiled locales of our own, so that a node can be Korean without a change to this system."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.wine.cache import Cache
from lab.wine.errors import WineError

KOREAN = "ko_KR.UTF-8"
PLAIN = "C.UTF-8"


def locale_folder(cache: Cache) -> Path:
    """Return the folder for LOCPATH."""

    def make(target: Path) -> None:
        target.mkdir()
        command = ["localedef", "-i", "ko_KR", "-f", "UTF-8", str(target / KOREAN)]
        try:
            subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise WineError(f"localedef failed ({error}); apt-get install locales") from error

    return cache.part("locales", make)
