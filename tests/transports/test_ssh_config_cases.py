"""Configurations of OpenSSH that users have: each costs what dtui cannot read of it, and no login."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.ssh_node import SshNode
from tests.transports.conftest import Connect
from tests.transports.contract import read_all

#: ``gpu1`` stands for the node's address.
CASES: dict[str, str | bytes] = {
    "bom and crlf": "\ufeffHost gpu1\r\n    HostName ADDRESS\r\n    User train\r\n    Port 2222\r\n",
    "match localnetwork": "Match localnetwork 192.168.0.0/16\n  User home\nHost gpu1\n  HostName ADDRESS\n",
    "comments after values": "Host gpu1 # my box\n  HostName ADDRESS # lab\n  User me # me\n  Port 22 # x\n",
    "times with units": """\
Host *
  ConnectTimeout 10s
  ServerAliveInterval 1m
  ControlPersist 10m
  ControlMaster auto
  ControlPath ~/.ssh/cm-%r@%h:%p
Host gpu1
  HostName ADDRESS
""",
    "a missing identity": """\
Host *
  IdentitiesOnly yes
  IdentityFile ~/.ssh/does_not_exist
  CertificateFile ~/.ssh/nope-cert.pub
Host gpu1
  HostName ADDRESS
""",
    "systemd's proxy": """\
Host .host machine/.host
  ProxyCommand /usr/lib/systemd/systemd-ssh-proxy unix/run/ssh %p
  ProxyUseFdpass yes
Host unix/* vsock/*
  ProxyCommand none
Host gpu1
  HostName ADDRESS
""",
    "new criteria of Match": """\
Match tagged vpn
  User a
Match sessiontype shell
  User b
Match version OpenSSH_10*
  User c
Match command "rsync *"
  User d
  ProxyJump nowhere.invalid
Host gpu1
  HostName ADDRESS
  Tag vpn
""",
    "a comment in cp949": "Host gpu1\n  HostName ADDRESS\n# 한글 주석\n".encode("cp949"),
    "unknown options": "Host gpu1\n  HostName ADDRESS\n  FutureOption yes\n  UseKeychain yes\n",
    "a wrong value": "Host gpu1\n  ServerAliveCountMax many\n  HostName ADDRESS\n",
    "an open quotation mark": 'Host gpu1\n  SendEnv "LANG\n  HostName ADDRESS\n',
}


@pytest.mark.parametrize("case", CASES)
async def test_an_entry_that_cannot_be_read_costs_that_entry_only(
    case: str, node: SshNode, connect: Connect, ssh_folder: Path
) -> None:
    text = CASES[case]
    content = text.encode() if isinstance(text, str) else text
    (ssh_folder / "config").write_bytes(content.replace(b"ADDRESS", node.address.encode()))
    # Port, user and key are those of nodes.yaml, which stand over the file's.
    transport = connect(node, host="gpu1")
    assert await read_all(await transport.open(["echo", "here"])) == b"here\n"


@pytest.mark.parametrize("keyword", ["Include ", "include=", "INCLUDE = "])
async def test_an_included_file_costs_its_own_entries_only(
    node: SshNode, connect: Connect, ssh_folder: Path, keyword: str
) -> None:
    (ssh_folder / "more").mkdir()
    (ssh_folder / "more/a.conf").write_text("Match sessiontype shell\n  HostName nowhere.invalid\n")
    (ssh_folder / "more/b.conf").write_text(f"Host gpu1 # ours\n  HostName {node.address}\n")
    (ssh_folder / "config").write_text(f"{keyword}more/*.conf # all\nInclude config\nHost *\n  Port 1\n")
    transport = connect(node, host="gpu1")
    assert await read_all(await transport.open(["echo", "here"])) == b"here\n"
