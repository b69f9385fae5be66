"""Import the agent's modules from the bytes of its archive, safely from several threads.

``zipimport`` of Python 3.9 has only ``load_module``, which puts a module into ``sys.modules`` before
importlib can mark it as being initialised, so a second thread may see half of it. This importer has
``exec_module``: importlib then holds the module's lock until the module is complete, on every version.
The bytes are those whose SHA-256 was verified, so a file that changes later has no effect.

Like agent/bootstrap.py this file is sent as text, and every Python 3 must be able to read it.
"""

import importlib.machinery
import struct
import sys
import zlib

MYPY = False
if MYPY:
    from types import CodeType, ModuleType
    from typing import Dict, Optional, Sequence, Tuple

    Entries = Dict[str, Tuple[int, int, int]]

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8


class ArchiveImporter:
    """A finder for ``sys.meta_path`` and the loader of the modules in ``blob``, a ZIP file at ``path``."""

    def __init__(self, blob: bytes, path: str) -> None:
        self._blob = blob
        self._path = path
        self._entries = directory(blob)

    def find_spec(
        self, name: str, path: "Optional[Sequence[str]]" = None, target: "Optional[ModuleType]" = None
    ) -> "Optional[importlib.machinery.ModuleSpec]":
        """Return the spec of a module of the archive, None for any other module."""
        stem = name.replace(".", "/")
        file = self._file(name)
        if file is None:
            return None
        package = file != stem + ".py"
        origin = self._path + "/" + file
        spec = importlib.machinery.ModuleSpec(name, self, origin=origin, is_package=package)  # type: ignore[arg-type]
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [self._path + "/" + stem]
        return spec

    def create_module(self, spec: "importlib.machinery.ModuleSpec") -> None:
        """Leave the creation of the module object to importlib."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run the module's source in ``module``."""
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102 -- what an importer does

    def get_code(self, name: str) -> "CodeType":
        """Return a module's compiled source; raises ImportError."""
        file = self._required(name)
        return compile(self._read(file), self._path + "/" + file, "exec", dont_inherit=True)

    def get_source(self, name: str) -> str:
        """Return a module's source, which tracebacks show; raises ImportError."""
        return self._read(self._required(name)).decode("utf-8")

    def _file(self, name: str) -> "Optional[str]":
        """Return the file of a package or module, None when the archive has none."""
        stem = name.replace(".", "/")
        for file in (stem + "/__init__.py", stem + ".py"):
            if file in self._entries:
                return file
        return None

    def _required(self, name: str) -> str:
        file = self._file(name)
        if file is None:
            raise ImportError("the agent's archive has no module " + name, name=name)
        return file

    def _read(self, file: str) -> bytes:
        method, size, at = self._entries[file]
        local = _LOCAL.unpack_from(self._blob, at)
        begin = at + _LOCAL.size + local[9] + local[10]
        data = self._blob[begin : begin + size]
        return zlib.decompress(data, -15) if method == _DEFLATED else data


def directory(blob: bytes) -> "Entries":
    """Return each file of a ZIP without comment: name -> method, compressed size, offset.

    Raises ImportError when the bytes are not such a ZIP.
    """
    entries = {}
    try:
        end = _END.unpack_from(blob, len(blob) - _END.size)
        at = end[6]
        for _ in range(end[4]):
            entry = _ENTRY.unpack_from(blob, at)
            name = blob[at + _ENTRY.size : at + _ENTRY.size + entry[10]].decode("utf-8")
            if entry[0] != b"PK\1\2" or entry[4] not in (_STORED, _DEFLATED):
                raise ValueError(name)
            entries[name] = (entry[4], entry[8], entry[16])
            at += _ENTRY.size + entry[10] + entry[11] + entry[12]
    except (struct.error, ValueError):
        raise ImportError("the agent's archive is damaged") from None
    return entries


def install(blob: bytes, path: str) -> None:
    """Import ``agent`` and what travels with it from ``blob`` from now on, before anything installed."""
    sys.meta_path.insert(0, ArchiveImporter(blob, path))
