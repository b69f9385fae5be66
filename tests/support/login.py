"""The start files of a login in a test's own home folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

#: How this machine reaches a package index.
_NETWORK = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def write_profile(home: Path, variables: Mapping[str, str] | None = None) -> None:
    """Have a login in ``home`` set ``variables``, and what a package index needs on this machine."""
    network = {name: value for name, value in os.environ.items() if name.upper().startswith(_NETWORK)}
    home.mkdir(exist_ok=True)
    lines = [
        f"export {name}={shlex.quote(value)}\n" for name, value in {**network, **(variables or {})}.items()
    ]
    for name in (".profile", ".zprofile"):
        (home / name).write_text("".join(lines), encoding="utf-8")
