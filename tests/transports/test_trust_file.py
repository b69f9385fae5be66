"""Files of trusted keys and certificates: no link is followed, and unreadable is not unknown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lab.ssh_node import SshNode
from tests.support.person import Person
from tests.transports.conftest import Connect
from transports.base import HostKey
from transports.errors import TransportError
from transports.trust_file import TrustFile
from transports.winrm.pins import Pins

pytestmark = pytest.mark.needs("posix")  # links need a privilege on Windows

KEY = HostKey("gpu1", 5986, "TLS certificate", "SHA256:" + "A" * 64)


def linked(path: Path, target: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)
    return target


@pytest.mark.parametrize("exists", [True, False])
async def test_a_link_in_place_of_known_hosts_is_neither_read_nor_written(
    node: SshNode, connect: Connect, known_hosts: Path, tmp_path: Path, exists: bool
) -> None:
    victim = linked(known_hosts, tmp_path / "victim")
    if exists:
        victim.write_text(node.known_hosts_line())
    person = Person(trusting=True)
    with pytest.raises(TransportError, match=r"known_hosts can't be read: it is a symbolic link") as caught:
        await connect(node, person, trust=False).connect()
    assert caught.value.remedy
    assert person.shown == []
    assert victim.exists() == exists
    assert not exists or victim.read_text() == node.known_hosts_line()


def test_a_link_in_place_of_known_certificates_is_neither_read_nor_written(tmp_path: Path) -> None:
    victim = linked(tmp_path / "known_certificates", tmp_path / "victim")
    victim.write_text(f"[{KEY.host}]:{KEY.port} {KEY.fingerprint}\n")
    pins = Pins(tmp_path / "known_hosts")
    with pytest.raises(TransportError, match="can't be read: it is a symbolic link"):
        pins.find(KEY.host, KEY.port)
    with pytest.raises(TransportError, match="can't be written: it is a symbolic link"):
        pins.record(KEY)
    assert len(victim.read_text().splitlines()) == 1


def test_what_is_no_file_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "."):
        for use in (TrustFile.read, lambda file: file.append("x\n")):
            with pytest.raises(TransportError):
                use(TrustFile(tmp_path / name))


def test_a_line_is_appended_and_the_file_is_its_owner_s(tmp_path: Path) -> None:
    file = TrustFile(tmp_path / "dtui" / "known_hosts")
    assert file.read() == ""
    file.append("one\n")
    file.path.chmod(0o644)
    file.append("two\n")
    assert file.read() == "one\ntwo\n"
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
