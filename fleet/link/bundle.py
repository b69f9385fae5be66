"""The agent packed into one archive, the same bytes for the same sources."""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import io
import zipfile
from pathlib import Path

from msgspec import Struct

#: ``agent.archive`` itself is imported by zipimport, while there is one thread only.
_ENTRY = """from agent.archive import install
with open(__loader__.archive, "rb") as file:
    install(file.read(), __loader__.archive)
from agent.main import main
raise SystemExit(main())
"""
_GUARD = """try:
 exec({program!r})
except SystemExit as end:
 import sys
 sys.stderr.write(str(end) + "\\n")
except BaseException:
 import traceback
 traceback.print_exc()
finally:
 import os, sys
 try:
  sys.stdout.flush()
  sys.stderr.flush()
 finally:
  os._exit(1)
"""
# A fixed date (the zip format's first), so that the digest depends on the sources alone.
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Bundle(Struct, frozen=True):
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
    importer, program = (sources[f"agent/{name}.py"].decode("utf-8") for name in ("archive", "bootstrap"))
    stage = _guarded(f"exec({importer!r});exec({program!r});boot({digest!r},{len(archive)})")
    return Bundle(archive, digest, stage.encode("ascii", "backslashreplace"))


def _guarded(program: str) -> str:
    """Return one line that runs ``program`` and ends Python after it, whatever happens.

    An interactive interpreter would run what follows on its input: half of an archive, or a request.
    """
    return f"exec({_GUARD.format(program=program)!r})\n"


def _zip(sources: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, sources[name], zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
