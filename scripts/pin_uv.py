"""Pin the uv that dtui installs on nodes: ``python scripts/pin_uv.py [VERSION]``, the newest without one.

Asks the configured package index through uv itself, in a temporary environment, and puts the
version and the SHA-256 of each of its wheels into ``agent/environments/uv_pin.py``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "agent" / "environments" / "uv_pin.py"


def main() -> None:
    """Resolve, and replace the version and the hashes."""
    wanted = f"uv=={sys.argv[1]}" if len(sys.argv) > 1 else "uv"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        program = next(Path(folder).glob("[bS]*/python*"))
        subprocess.run([program, "-m", "pip", "install", "--quiet", wanted], check=True)
        resolved = subprocess.run(
            [program, "-m", "uv", "pip", "compile", "-", "--universal", "--generate-hashes", "--no-header",
             "--no-annotate", "--no-emit-index-url", "--quiet", "--only-binary", ":all:"],
            input=wanted, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    (version,) = re.findall(r"^uv==(\S+)", resolved, re.MULTILINE)
    hashes = sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", resolved))
    TARGET.write_text(pinned(TARGET.read_text("ascii"), version, hashes), encoding="ascii")
    print(f"uv {version}: {len(hashes)} wheels")


def pinned(text: str, version: str, hashes: list[str]) -> str:
    """Return the module's text with another version and other hashes; all else stays."""
    wheels = "".join(f'    "{one}",\n' for one in hashes)
    for pattern, data in ((r'(?<=^VERSION = ")[^"]*', version), (r"(?<= = \(\n)[^)]*", wheels)):
        text, count = re.subn(pattern, data, text, flags=re.MULTILINE)
        if count != 1:
            raise SystemExit(f"{TARGET} has {count} places for {data[:20]!r}")
    return text


if __name__ == "__main__":
    main()
