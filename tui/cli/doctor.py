"""Is this machine fit to be a master: looks at it alone, connects to no node, changes nothing."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from fleet.frozen import frozen
from fleet.inventory.model import DEFAULT_PORT
from tui.cli.exits import UsageError
from tui.cli.options import DEFAULT_INVENTORY

Status = Literal["ok", "warn", "fail"]
_KEY_KINDS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
_ROOM = 5 << 30
RENDEZVOUS_PORTS = range(DEFAULT_PORT, DEFAULT_PORT + 5)


@frozen
class Finding:
    """What was looked at and seen: ``fail`` keeps dtui from working, ``warn`` takes something away."""

    name: str
    status: Status
    seen: str
    remedy: str = ""


def examine(project: Path, ssh_folder: Path, ports: Sequence[int] = RENDEZVOUS_PORTS) -> Iterator[Finding]:
    """Yield one finding after the other; the first of ``ports`` is that of the rendezvous."""
    yield _python()
    yield from _packages()
    yield _keys(ssh_folder)
    yield _agent()
    yield _keyring()
    yield _uv()
    yield _ports(ports)
    yield _project(project)
    yield _inventory(project)
    yield _terminal()


def _python() -> Finding:
    bits = "64-bit" if sys.maxsize > 2**32 else "32-bit"
    seen = f"Python {platform.python_version()}, {bits}, at {sys.executable}"
    if sys.maxsize <= 2**32:
        return Finding("python", "warn", seen, "torch needs a 64-bit Python; install one from python.org")
    return Finding("python", "ok", seen)


def _packages() -> Iterator[Finding]:
    needed, training = [], []
    for requirement in importlib.metadata.requires("dtui") or ():
        name = re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0]
        if "extra ==" not in requirement:
            needed.append(name)
        elif re.search(r"extra == ['\"]train['\"]", requirement):
            training.append(name)
    missing = [name for name in needed if not _installed(name)]
    seen = f"dtui {_installed('dtui')} with {len(needed) - len(missing)} of {len(needed)} packages"
    if missing:
        yield Finding("packages", "fail", f"{seen}; {', '.join(missing)} missing", "install dtui again")
    else:
        yield Finding("packages", "ok", seen)
    versions = {name: _installed(name) for name in training}
    if all(versions.values()):
        yield Finding("training", "ok", f"torch {versions['torch']}, accelerate {versions['accelerate']}")
    else:
        lacking = ", ".join(name for name, found in versions.items() if not found)
        yield Finding(
            "training",
            "warn",
            f"{lacking} missing: this environment can't train (dtui demo, `environment: existing`)",
            'pip install "dtui[train]", or let a deploy make the project\'s own environment (uv)',
        )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _keys(folder: Path) -> Finding:
    found = [name for name in _KEY_KINDS if (folder / name).is_file()]
    if not found:
        return Finding(
            "ssh keys",
            "warn",
            f"none in {folder}",
            "ssh-keygen -t ed25519, then worker_setup.ps1 -PublicKey on each worker; or use passwords",
        )
    if os.name != "nt":
        loose = [name for name in found if (folder / name).stat().st_mode & 0o077]
        if loose:
            told = f"others may read {', '.join(loose)}"
            return Finding("ssh keys", "warn", told, f"chmod 600 {folder / loose[0]}")
    return Finding("ssh keys", "ok", f"found in {folder}: {', '.join(found)}")


def _agent() -> Finding:
    import asyncssh

    async def held() -> int:
        async with asyncio.timeout(5.0):
            agent = await asyncssh.connect_agent()
            try:
                return len(list(await agent.get_keys()))
            finally:
                agent.close()
                await agent.wait_closed()

    try:
        count = asyncio.run(held())
    except (OSError, ValueError, TimeoutError, asyncssh.Error):
        return Finding("ssh agent", "ok", "none: passphrases of keys are asked for")
    if count == 0:
        return Finding("ssh agent", "ok", "runs, and holds no key (ssh-add)")
    return Finding("ssh agent", "ok", f"holds {count} keys")


def _keyring() -> Finding:
    import keyring

    store = keyring.get_keyring()
    if store.priority < 1:
        return Finding(
            "keyring",
            "warn",
            "no store for passwords: they are asked for each time",
            "use SSH keys, or install a keyring (Linux: a Secret Service such as gnome-keyring)",
        )
    return Finding("keyring", "ok", f"{type(store).__module__}.{type(store).__name__}")


def _uv() -> Finding:
    command = shutil.which("uv")
    if command is None:
        return Finding("uv", "ok", "not installed: a deploy brings it along where it is needed")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return Finding("uv", "ok", done.stdout.strip() or command)


def _ports(ports: Sequence[int]) -> Finding:
    first, taken = ports[0], [port for port in ports if not _free(port)]
    if first in taken:
        return Finding(
            "ports",
            "warn",
            f"{first} is in use on this machine",
            "end what listens there (dtui stop, when it is a run), or use another port (--port)",
        )
    if taken:
        return Finding("ports", "ok", f"{first} is free; in use: {', '.join(map(str, taken))}")
    return Finding("ports", "ok", f"{first}-{ports[-1]} are free")


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        if os.name != "nt":  # where it would let a second program in beside the first
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError:
            return False
    return True


def _project(project: Path) -> Finding:
    if not project.is_dir():
        return Finding("project", "fail", f"there is no folder {project}", "go to the project's folder")
    room = shutil.disk_usage(project).free
    seen = f"{project}: {room / 2**30:.0f} GB free"
    if not os.access(project, os.W_OK):
        return Finding("project", "fail", f"{seen}; not writable", "dtui keeps its records in .dtui there")
    if room < _ROOM:
        return Finding("project", "warn", seen, "checkpoints need space")
    return Finding("project", "ok", seen)


def _inventory(project: Path) -> Finding:
    from fleet.inventory import InventoryError, load_inventory

    path = project / DEFAULT_INVENTORY
    if not path.exists():
        return Finding("inventory", "ok", f"no {DEFAULT_INVENTORY} yet", "dtui init")
    try:
        inventory = load_inventory(path)
    except (InventoryError, UsageError) as error:
        return Finding("inventory", "fail", str(error), "correct the file")
    return Finding("inventory", "ok", f"{DEFAULT_INVENTORY}: {len(inventory.workers)} workers")


def _terminal() -> Finding:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    size = shutil.get_terminal_size()
    seen = f"{size.columns}x{size.lines}, {sys.stdout.encoding}"
    if encoding != "utf8":
        return Finding("terminal", "warn", seen, "set PYTHONUTF8=1 (Windows: use Windows Terminal)")
    return Finding("terminal", "ok", seen)
