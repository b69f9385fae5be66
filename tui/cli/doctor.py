"""Examines whether this machine can be a master; connects to no node and changes nothing."""

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

from msgspec import Struct

from agent.quoting import command_line
from agent.wire.message import EMPTY, Message, message
from fleet.inventory import InventoryError, load_inventory
from fleet.inventory.model import DEFAULT_PORT
from tui.cli.basic_options import DEFAULT_INVENTORY
from tui.cli.output import encoding, is_utf8

Status = Literal["ok", "warn", "fail"]
_KEY_KINDS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
_ROOM = 5 << 30
RENDEZVOUS_PORTS = range(DEFAULT_PORT, DEFAULT_PORT + 5)


class Finding(Struct, frozen=True):
    """What was examined and found: ``fail`` keeps dtui from working, ``warn`` takes something away."""

    name: str
    status: Status
    seen: Message
    remedy: Message = EMPTY


#: Of the findings, by name.
TITLES = {
    "python": message("doctor.title.python", "Python"),
    "packages": message("doctor.title.packages", "packages"),
    "training": message("doctor.title.training", "training"),
    "ssh keys": message("doctor.title.ssh-keys", "SSH keys"),
    "ssh agent": message("doctor.title.ssh-agent", "SSH agent"),
    "keyring": message("doctor.title.keyring", "keyring"),
    "uv": message("doctor.title.uv", "uv"),
    "ports": message("doctor.title.ports", "ports"),
    "project": message("doctor.title.project", "project"),
    "inventory": message("doctor.title.inventory", "inventory"),
    "terminal": message("doctor.title.terminal", "terminal"),
}


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
    version, path = platform.python_version(), sys.executable
    if sys.maxsize > 2**32:
        text = message("doctor.python", "Python {version}, 64-bit, {path}", version=version, path=path)
        return Finding("python", "ok", text)
    return Finding(
        "python",
        "warn",
        message("doctor.python-32-bit", "Python {version}, 32-bit, {path}", version=version, path=path),
        message("doctor.python-32-bit.remedy", "install a 64-bit Python, which torch requires"),
    )


def _packages() -> Iterator[Finding]:
    needed, training = [], []
    for requirement in importlib.metadata.requires("dtui") or ():
        name = re.split(r"[\s\[<>=!~;(]", requirement, maxsplit=1)[0]
        if "extra ==" not in requirement:
            needed.append(name)
        elif re.search(r"extra == ['\"]train['\"]", requirement):
            training.append(name)
    version = _installed("dtui") or "?"
    missing = [name for name in needed if not _installed(name)]
    if missing:
        yield Finding(
            "packages",
            "fail",
            message(
                "doctor.packages-missing",
                "dtui {version}; {missing} missing",
                version=version,
                missing=missing,
            ),
            message("doctor.packages-missing.remedy", "install dtui again"),
        )
    else:
        yield Finding(
            "packages",
            "ok",
            message(
                "doctor.packages",
                "dtui {version}, all {count} required packages installed",
                version=version,
                count=len(needed),
            ),
        )
    yield _training(training)


def _training(packages: Sequence[str]) -> Finding:
    versions = {name: _installed(name) for name in packages}
    missing = [name for name, version in versions.items() if not version]
    if not missing:
        text = message(
            "doctor.training",
            "torch {torch}, accelerate {accelerate}",
            torch=str(versions.get("torch")),
            accelerate=str(versions.get("accelerate")),
        )
        return Finding("training", "ok", text)
    return Finding(
        "training",
        "warn",
        message(
            "doctor.training-missing",
            "{missing} missing: this environment cannot train (dtui demo, `environment: existing`)",
            missing=missing,
        ),
        message(
            "doctor.training-missing.remedy",
            'run `pip install "dtui[train]"`, or let `dtui deploy` build the project\'s environment with uv',
        ),
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
            message("doctor.no-key", "none in {folder}", folder=str(folder)),
            message(
                "doctor.no-key.remedy",
                "run `ssh-keygen -t ed25519`, then `dtui worker-script --public-key FILE` for the Windows "
                "workers, or use passwords",
            ),
        )
    if sys.platform == "win32":
        from agent.windows_security import described, user_sid

        for name in found:
            path, user = str(folder / name), user_sid()
            others = readers(described(path), user)
            if others:
                return _readable(folder / name, command_line(owner_only(path, user, others), windows=True))
    else:
        loose = [name for name in found if (folder / name).stat().st_mode & 0o077]
        if loose:
            return _readable(
                folder / loose[0], command_line(["chmod", "600", str(folder / loose[0])], windows=False)
            )
    text = message("doctor.keys", "{keys} in {folder}", keys=found, folder=str(folder))
    return Finding("ssh keys", "ok", text)


def _readable(key: Path, command: str) -> Finding:
    return Finding(
        "ssh keys",
        "warn",
        message(
            "doctor.readable-key", "other users can read {key}, so OpenSSH does not use it", key=key.name
        ),
        message("doctor.readable-key.remedy", "run `{command}`", command=Message(command)),
    )


#: Who may read a key on Windows besides its user: SYSTEM, Administrators, and the owner's rights.
_MAY_READ = {"SY", "BA", "LA", "OW", "S-1-5-18", "S-1-5-32-544", "S-1-3-4"}
#: What SDDL calls groups that everybody belongs to, for icacls.
_GROUPS = {
    "WD": "S-1-1-0", "AU": "S-1-5-11", "IU": "S-1-5-4", "BU": "S-1-5-32-545", "BG": "S-1-5-32-546",
    "PU": "S-1-5-32-547", "AC": "S-1-15-2-1",
}  # fmt: skip
#: Rights of an entry with which a file can be read: all, reading, and those in numbers.
_READING = ("GA", "GR", "FA", "FR")


def readers(access_list: str, user: str) -> tuple[str, ...]:
    """Return who may read a file besides the user with the SID ``user``, as its access list does (SDDL).

    A file without an access list can be read by everybody.
    """
    if not access_list.startswith("D:") or "NO_ACCESS_CONTROL" in access_list:
        return ("WD",)
    found = []
    for entry in re.findall(r"\(([^()]*)\)", access_list):
        kind, _, rights, _, _, who = [*str(entry).split(";"), *[""] * 6][:6]
        reads = (
            int(rights, 16) & 0x80000001
            if rights.startswith("0x")
            else any(rights[at : at + 2] in (*_READING, "CC") for at in range(0, len(rights), 2))
        )
        if kind == "A" and reads and who not in _MAY_READ and who != user:
            found.append(who)
    return tuple(dict.fromkeys(found))


def owner_only(path: str, user: str, others: Sequence[str]) -> tuple[str, ...]:
    """Return the command that takes a file from ``others``, and from those who inherit rights to it."""
    sids = [_GROUPS.get(other, other) for other in others]
    taken = [word for sid in sids if sid.startswith("S-") for word in ("/remove:g", f"*{sid}")]
    return ("icacls", path, "/inheritance:r", "/grant:r", f"*{user}:F", *taken)


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
        text = message("doctor.no-agent", "not running: dtui asks for the passphrases of keys")
        return Finding("ssh agent", "ok", text)
    if count == 0:
        text = message("doctor.agent-empty", "running, without a key (`ssh-add` adds one)")
        return Finding("ssh agent", "ok", text)
    return Finding("ssh agent", "ok", message("doctor.agent", "{count:n key} loaded", count=count))


def _keyring() -> Finding:
    import keyring

    store = keyring.get_keyring()
    if store.priority < 1:
        return Finding(
            "keyring",
            "warn",
            message("doctor.no-keyring", "no system keyring: dtui asks for passwords each time"),
            message(
                "doctor.no-keyring.remedy",
                "use SSH keys, or install a keyring (Linux: a Secret Service such as gnome-keyring)",
            ),
        )
    return Finding("keyring", "ok", Message(f"{type(store).__module__}.{type(store).__name__}"))


def _uv() -> Finding:
    command = shutil.which("uv")
    if command is None:
        return Finding(
            "uv", "ok", message("doctor.no-uv", "not installed: a deploy supplies it where needed")
        )
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return Finding("uv", "ok", Message(done.stdout.strip() or command))


def _ports(ports: Sequence[int]) -> Finding:
    first, taken = ports[0], [port for port in ports if not _free(port)]
    if first in taken:
        return Finding(
            "ports",
            "warn",
            message("doctor.port-in-use", "port {port} is in use on this machine", port=first),
            message(
                "doctor.port-in-use.remedy",
                "end the program that listens on it (`dtui stop` for a run), or use another port (--port)",
            ),
        )
    if taken:
        text = message("doctor.ports-in-use", "port {port} is free; in use: {taken}", port=first, taken=taken)
        return Finding("ports", "ok", text)
    text = message("doctor.ports", "ports {first}-{last} are free", first=first, last=ports[-1])
    return Finding("ports", "ok", text)


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        if os.name != "nt":  # there a second program could listen on the same port
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError:
            return False
    return True


def _project(project: Path) -> Finding:
    folder = str(project)
    if not project.is_dir():
        return Finding(
            "project",
            "fail",
            message("doctor.no-project", "there is no folder {folder}", folder=folder),
            message("doctor.no-project.remedy", "run dtui in the project folder, or name it with --project"),
        )
    free = shutil.disk_usage(project).free
    if not os.access(project, os.W_OK):
        return Finding(
            "project",
            "fail",
            message("doctor.project-read-only", "{folder} is not writable", folder=folder),
            message(
                "doctor.project-read-only.remedy",
                "make {folder} writable for this user: dtui keeps its records in {folder}/.dtui",
                folder=folder,
            ),
        )
    seen = message("doctor.project", "{folder}, {free:bytes} free", folder=folder, free=free)
    if free < _ROOM:
        remedy = message("doctor.project-full.remedy", "free some disk space for checkpoints")
        return Finding("project", "warn", seen, remedy)
    return Finding("project", "ok", seen)


def _inventory(project: Path) -> Finding:
    path, name = project / DEFAULT_INVENTORY, str(DEFAULT_INVENTORY)
    if not path.exists():
        return Finding(
            "inventory",
            "ok",
            message("doctor.no-inventory", "no {file} yet", file=name),
            message("doctor.no-inventory.remedy", "run `dtui init`"),
        )
    try:
        inventory = load_inventory(path)
    except InventoryError as error:
        first = error.faults[0]
        return Finding(
            "inventory",
            "fail",
            message(
                "doctor.bad-inventory",
                "{count:n fault}, first at {place}: {what}",
                count=len(error.faults),
                place=first.place,
                what=first.what,
            ),
            message(
                "doctor.bad-inventory.remedy",
                "correct {file}; `dtui nodes --offline` lists all faults",
                file=name,
            ),
        )
    count = len(inventory.workers)
    return Finding(
        "inventory", "ok", message("doctor.inventory", "{file}: {count:n worker}", file=name, count=count)
    )


def _terminal() -> Finding:
    size = shutil.get_terminal_size()
    seen = Message(f"{size.columns}x{size.lines}, {encoding()}")
    if is_utf8():
        return Finding("terminal", "ok", seen)
    return Finding(
        "terminal",
        "warn",
        seen,
        message("doctor.encoding.remedy", "set PYTHONUTF8=1 (on Windows, use Windows Terminal)"),
    )
