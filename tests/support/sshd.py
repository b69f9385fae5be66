"""A real OpenSSH server on loopback, with keys and configuration of its own."""

from __future__ import annotations

import getpass
import os
import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import asyncssh

from lab.addresses import AddressBlock
from tests.support.needs import need

_CONFIG = """\
ListenAddress {host}:{port}
HostKey {folder}/host_ed25519
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AcceptEnv nothing
SetEnv XDG_CACHE_HOME={folder}/cache{variables}
LogLevel VERBOSE
{extra}
"""
_START_SECONDS = 120.0


class OpenSshServer:
    """sshd in the foreground; use as ``with``. One key may log in as the user who runs the tests.

    ``extra`` are further lines of sshd_config, ``variables`` what it sets in its sessions. ``log`` is the
    file that it writes.
    """

    def __init__(self, folder: Path, *, extra: str = "", variables: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.log = folder / "sshd.log"
        self.user = getpass.getuser()
        self.identity = folder / "id_ed25519"
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._extra = extra
        self._variables = "".join(f" {name}={value}" for name, value in (variables or {}).items())

    def __enter__(self) -> OpenSshServer:
        need("sshd")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._block = AddressBlock()
        self.host = self._block.node(0)
        self.port = self._free_port()
        user_key = asyncssh.generate_private_key("ssh-ed25519")
        for path, key in (("host_ed25519", self.host_key), ("id_ed25519", user_key)):
            (self.folder / path).touch(mode=0o600)
            key.write_private_key(self.folder / path)
        user_key.write_public_key(self.folder / "authorized_keys")
        config = self.folder / "sshd_config"
        config.write_text(
            _CONFIG.format(
                host=self.host,
                port=self.port,
                folder=self.folder,
                extra=self._extra,
                variables=self._variables,
            ),
            "utf-8",
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks its unprivileged half in
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        assert program, "OpenSSH's server is missing: install openssh-server"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stderr=log)
        self._wait_until_it_listens()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._block.release()

    @property
    def pid(self) -> int:
        """The process that accepts connections."""
        return self._process.pid

    def known_hosts_line(self) -> str:
        return f"[{self.host}]:{self.port} {self.host_key.export_public_key().decode('ascii')}"

    def _free_port(self) -> int:
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            return int(probe.getsockname()[1])

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not re.search(r"Server listening on", self.log.read_text("utf-8")):
            assert self._process.poll() is None, self.log.read_text("utf-8")
            assert time.monotonic() < deadline, "sshd does not come up"
            select.select([], [], [], 0.02)
