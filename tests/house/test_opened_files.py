"""A file that another program may have replaced is opened only where a FIFO or a device can't block.

``agent.private`` (on nodes and, through ``fleet.private_files``, on the master) and
``transports.regular_files`` open files; everything else goes through them, or passes their ``opener``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent

ROOT = Path(agent.__file__).parent.parent
#: What opens files in its own way, and why nobody else can have put anything in their place.
ALLOWED = {
    "agent/bootstrap.py": "runs alone, and looks at the file first",
    "agent/command.py": "a pipe of its own",
    "agent/facts/files.py": "files of /proc and /sys",
    "agent/durable.py": "a folder of its own, to sync it",
    "agent/main.py": "its own standard output",
    "agent/checks/portbinding.py": "files of /proc",
    "agent/observer/in_rank.py": "runs in the rank, and can block that rank only",
    "agent/processes/posix.py": "files of /proc",
    "agent/sampler/main.py": "its own standard output",
    "agent/supervisor/folder_monitor.py": "opens folders only (O_DIRECTORY), which cannot block",
    "agent/supervisor/__init__.py": "its own standard output, and files that it creates (O_EXCL)",
    "agent/tree/lock.py": "creates the file (O_EXCL)",
    "agent/tree/staging.py": "creates the file (O_EXCL)",
    "agent/operations/start.py": "creates the file (O_EXCL)",
    "agent/private.py": "the layer itself",
    "transports/regular_files.py": "the layer itself",
    "fleet/file_replacement.py": "creates the file (mode x)",
    "fleet/inventory/reference.py": "a script of this repository",
    "fleet/diagnose/rules.py": "dtui's own file of signatures",
    "fleet/init/project.py": "dtui's own file of settings",
    "fleet/link/bundle.py": "dtui's own source",
    "fleet/node_files.py": "dtui's own source",
    "transports/winrm/reliable/source.py": "dtui's own source",
    "fleet/runs/record/lock.py": "wraps a descriptor of fleet.private_files",
    "transports/ssh/client_config.py": "its own copy in a new folder",
    "transports/ssh/keys.py": "asyncssh reads the key that the layer has read",
    "tui/internal_errors.py": "writes without waiting (O_NONBLOCK)",
    "fleet/worker_script/join.py": "files of dtui's own scripts folder; the build runs it by its path",
    "fleet/worker_script/script.py": "a file of dtui's own package",
}
MODES = {"r", "rb", "w", "wb", "x", "xb", "a", "ab"}
READS = {"read_text", "read_bytes", "read_private_key", "read_public_key"}


def opened(source: str) -> Iterator[str]:
    """Yield the calls that open or read a file by its path without an ``opener``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or any(one.arg == "opener" for one in node.keywords):
            continue
        called = node.func
        if isinstance(called, ast.Name) and called.id == "open":
            yield f"{node.lineno}: open()"
        elif isinstance(called, ast.Attribute):
            of_os = isinstance(called.value, ast.Name) and called.value.id == "os"
            modes = {one.value for one in node.args if isinstance(one, ast.Constant)}
            by_path = called.attr == "open" and modes & MODES
            if called.attr in READS or (of_os and called.attr in ("open", "fdopen")) or by_path:
                yield f"{node.lineno}: {called.attr}()"


def sources() -> Iterator[str]:
    for package in ("agent", "fleet", "transports", "tui"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix()


def test_no_file_is_opened_past_the_layer() -> None:
    found = [
        f"{name}:{what}"
        for name in sources()
        if name not in ALLOWED
        for what in opened((ROOT / name).read_text("utf-8"))
    ]
    assert not found, "open these with agent.private's opener, fleet.private_files or read_regular"


def test_each_exception_is_still_needed() -> None:
    assert [name for name in ALLOWED if not any(opened((ROOT / name).read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "source",
    ["open(path)", "path.open('rb')", "path.read_text()", "os.open(path, 0)", "Path(x).read_bytes()"],
)
def test_a_bypass_is_found(source: str) -> None:
    assert list(opened(source))


def test_an_opener_is_no_bypass() -> None:
    assert not list(opened("open(path, 'rb', opener=regular)"))
