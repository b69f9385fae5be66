"""The agent packed into one archive, the same bytes for the same sources."""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import io
import zipfile
from pathlib import Path

from fleet.frozen import frozen

_ENTRY = "from agent.main import main\nraise SystemExit(main())\n"
# A fixed date (the zip format's first), so that the digest depends on the sources alone.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@frozen
class Bundle:
    """A zipapp of the package ``agent`` with ``pynvml.py`` in it; ``digest`` is its SHA-256 in hex."""

    archive: bytes
    digest: str
    #: What a node executes first: one line of Python that receives the archive.
    stage: bytes


def pack_agent() -> Bundle:
    """Read the agent's sources as installed and pack them."""
    root = importlib.resources.files("agent")
    with importlib.resources.as_file(root) as folder:
        sources = {
            f"agent/{path.relative_to(folder).as_posix()}": path.read_bytes()
            for path in sorted(folder.rglob("*.py"))
        }
    sources["__main__.py"] = _ENTRY.encode()
    nvml = importlib.util.find_spec("pynvml")
    if nvml is not None and nvml.origin is not None:
        sources["pynvml.py"] = Path(nvml.origin).read_bytes()
    archive = _zip(sources)
    digest = hashlib.sha256(archive).hexdigest()
    program = sources["agent/bootstrap.py"].decode("utf-8")
    stage = f"exec({program!r});boot({digest!r},{len(archive)})\n"
    return Bundle(archive, digest, stage.encode("ascii", "backslashreplace"))


def _zip(sources: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, sources[name], zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
