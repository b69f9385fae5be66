"""The PowerShell 7 that tests run scripts with and use as a login shell."""

from __future__ import annotations

import functools
import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path

POWERSHELL_REMEDY = "install PowerShell 7, and put `pwsh` on the PATH or its path into DTUI_PWSH"
#: Next to the repository.
_SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "powershell" / "pwsh"
#: Of the variables that a starter of PowerShell sets, those that it needs.
_PREFIXES = ("DOTNET_", "POWERSHELL_")
_DESCRIBE = (
    "@{program = [Environment]::ProcessPath; variables = [Environment]::GetEnvironmentVariables()} | "
    "ConvertTo-Json -Compress"
)


def find_powershell() -> Path | None:
    """Return `pwsh` from PATH, from $DTUI_PWSH, or from ../shared/powershell; None without one."""
    for place in (shutil.which("pwsh"), os.environ.get("DTUI_PWSH"), str(_SHARED)):
        if place and (found := shutil.which(place)):
            return Path(found)
    return None


@functools.cache
def powershell_words() -> tuple[str, ...]:
    """Return the words that start PowerShell itself under any HOME; needs `pwsh`.

    `pwsh` may be a script that unpacks it into the user's cache, and sets variables.
    """
    pwsh = find_powershell()
    assert pwsh is not None
    told = subprocess.run(
        [pwsh, "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", _DESCRIBE],
        check=True,
        capture_output=True,
        # A test may have replaced HOME, and a script would unpack PowerShell there again.
        env={**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir},
    )
    found = json.loads(told.stdout)
    variables = [
        f"{name}={value}"
        for name, value in found["variables"].items()
        if name.upper().startswith(_PREFIXES) and name not in ("POWERSHELL_DISTRIBUTION_CHANNEL",)
    ]
    return ("/usr/bin/env", *sorted(variables), found["program"])
