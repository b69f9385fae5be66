"""The relay as one line of Python, which a fixed command on the node reads from stdin."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

#: Arguments of the interpreter.
ARGUMENTS = ("-I", "-c", "import sys;exec(sys.stdin.buffer.readline())")

_MODULES = ("frames", "streams", "snapshot", "peer", "relay")
_LOADER = """
import sys, types
for name, source in MODULES:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.serve(KEY, ARGV)
"""


def start_line(key: bytes, argv: Sequence[str]) -> bytes:
    """Return the line that makes the relay start ``argv`` and frame its streams with ``key``."""
    package = __name__.rpartition(".")[0]
    folder = importlib.resources.files(package)
    modules = [
        (f"{package}.{name}", folder.joinpath(f"{name}.py").read_text(encoding="utf-8")) for name in _MODULES
    ]
    program = f"MODULES, KEY, ARGV = {modules!r}, {key.hex()!r}, {list(argv)!r}\n{_LOADER}"
    # All in ASCII, so the node's code page does not matter.
    return f"exec({program!a})\n".encode("ascii")
