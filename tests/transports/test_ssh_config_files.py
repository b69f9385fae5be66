"""Configurations as users have them: what OpenSSH accepts, dtui accepts, with the same values."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.ssh_node import SshNode
from tests.transports.conftest import Connect
from tests.transports.contract import read_all
from transports.errors import TransportError
from transports.ssh.config import ConfigFault, resolve

HOST = "Host gpu1\n  HostName 10.9.0.1\n"
#: Each begins or ends with what stopped the login before, although OpenSSH reads it.
CASES = {
    "bom-crlf": b"\xef\xbb\xbfHost gpu1\r\n  HostName 10.9.0.1\r\n  User train\r\n  Port 2222\r\nHost b\r\n",
    "localnetwork": f"Match localnetwork 203.0.113.0/24\n  User home\n{HOST}",
    "localnetwork-own": f"Match localnetwork 127.0.0.0/8\n  User home\n{HOST}",
    "comments": 'Host gpu1 # my box\n  HostName 10.9.0.1 # lab\n  User "a#b" # me\n  Port 22 # std\n',
    "time-units": f"Host *\n  ConnectTimeout 1m30s\n  ServerAliveInterval 1h\n  ControlMaster auto\n{HOST}",
    "missing-keys": f"Host *\n  IdentityFile ~/.ssh/no\n  CertificateFile ~/.ssh/no-cert.pub\n{HOST}",
    "systemd": "Host unix/* vsock/*\n  ProxyCommand none\n"
    f"Host .host machine/.host\n  ProxyCommand /usr/lib/x unix/run/ssh %p\n  ProxyUseFdpass yes\n{HOST}",
    "tagged": f"Host gpu1\n  Tag vpn\nMatch tagged vpn\n  User a\n{HOST}",
    "conditions": f"Match user b\n  Port 1\nMatch version XSSH_10*\n  User c\n{HOST}",
    "exec": f'Match host gpu1 exec "true"\n  User yes\nMatch exec "exit 3"\n  Port 9\n{HOST}',
    "negated": f"Host * !gpu1\n  User other\nMatch !host gpu* all\n  Port 5\n{HOST}",
    "final": f"Match final\n  User last\n{HOST}",
    "equals": "Host=gpu1\n  HostName = 10.9.0.1\n  User=kim\n",
    "codepage": HOST.encode() + "# 연구실 장비\n".encode("cp949"),
    "token": "Host gpu1\n  HostName %h.lan\n",
    "first-wins": "Host gpu*\n  User one\n  Port 3\nHost gpu1\n  User two\n  HostName 10.9.0.1\n",
}
VALUES = ("hostname", "user", "port", "connecttimeout", "serveraliveinterval", "proxycommand")


def openssh_says(config: Path) -> dict[str, str] | None:
    """Return what OpenSSH makes of the host, or nothing where its release does not know a condition yet."""
    done = subprocess.run(["ssh", "-G", "-F", str(config), "gpu1"], capture_output=True, text=True)
    if done.returncode:
        assert "Unsupported Match attribute" in done.stderr or "ad configuration option" in done.stderr
        return None
    pairs = (line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)
    return {name: value for name, value in pairs if name in VALUES}


@pytest.mark.parametrize("case", CASES)
def test_a_host_has_the_values_that_openssh_gives_it(tmp_path: Path, case: str) -> None:
    config = tmp_path / "config"
    text = CASES[case]
    config.write_bytes(text if isinstance(text, bytes) else text.encode())
    lines = resolve(config, "gpu1", None)
    values = {line.option.lower(): line.value.strip('"') for line in lines}
    assert values["hostname"].replace("%h", "gpu1") in ("10.9.0.1", "gpu1.lan")
    theirs = openssh_says(config)
    if theirs is None:
        return
    if case == "bom-crlf":  # OpenSSH takes the mark for a part of the first word, and loses the block
        assert (values["user"], values["port"]) == ("train", "2222")
        return
    default = {"port": "22", "serveraliveinterval": "0", "connecttimeout": "none", "user": theirs["user"]}
    ours = {name: values.get(name, default.get(name)) for name in theirs}
    ours["hostname"] = str(ours["hostname"]).replace("%h", "gpu1")
    assert ours == theirs
    if case in ("localnetwork", "negated", "conditions"):
        assert "user" not in values


def test_included_files_hold_where_their_block_does(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.conf").write_text("User inside\nHost gpu1\n  Port 7\n")
    (tmp_path / "config").write_text(
        "Host other\n  Include conf.d/*.conf nothing-here\n  User wrong\n"
        "Host gpu1\n  Include conf.d/a.conf\n  User late\n  IdentityFile ~/a\n  IdentityFile ~/b\n"
    )
    found = [(line.option, line.value, line.number) for line in resolve(tmp_path / "config", "gpu1", None)]
    assert found == [
        ("User", "inside", 1),
        ("Port", "7", 3),
        ("IdentityFile", "~/a", 7),
        ("IdentityFile", "~/b", 8),
    ]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("Host gpu1\n  User\n", 2, "User"),
        ("\nMatch frobnicate x\n", 2, "frobnicate"),
        ("Match host\n", 1, "host"),
        ('Host "gpu1\n', 1, "quotation"),
        ("Include config\n", 1, "Include"),
    ],
)
def test_what_openssh_refuses_is_named_with_its_line(tmp_path: Path, text: str, line: int, word: str) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    with pytest.raises(ConfigFault) as caught:
        resolve(config, "gpu1", None)
    assert (caught.value.file, caught.value.line) == (config, line)
    assert word in caught.value.problem


async def test_a_value_that_can_not_be_used_is_named_with_the_users_line(
    node: SshNode, connect: Connect, ssh_folder: Path
) -> None:
    (ssh_folder / "more").write_text("# a comment\nHost *\n  Port twenty-two # no\n")
    (ssh_folder / "config").write_text("Include more\n")
    with pytest.raises(TransportError, match=f"{ssh_folder / 'more'}, line 3: .*twenty-two") as caught:
        await connect(node).connect()
    assert str(ssh_folder / "config") in str(caught.value)


async def test_a_node_is_reached_with_everything_that_stopped_the_login_before(
    node: SshNode, connect: Connect, ssh_folder: Path
) -> None:
    (ssh_folder / "config").write_bytes(
        b"\xef\xbb\xbfMatch localnetwork 203.0.113.0/24 # at home\r\n  User home\r\n"
        b"Match sessiontype subsystem\r\n  User d\r\nMatch tagged vpn\r\n  User e\r\n"
        b'Match command "rsync *"\r\n  User f\r\nHost * # all\r\n  ConnectTimeout 10s\r\n'
        b"  ServerAliveInterval 1m\r\n"
        b"  IdentityFile ~/.ssh/no\r\n  CertificateFile ~/.ssh/no-cert.pub\r\n"
        b"  HostName 203.0.113.9\r\n# " + "연구실".encode("cp949") + b"\r\n"
        b"Host gpu1\r\n  User " + node.user.encode() + b" # me\r\n"
    )
    # The inventory's address stands over the HostName of the block for all hosts.
    transport = connect(node, user=None)
    with pytest.raises(TransportError):
        await connect(node, user="home").connect()
    assert node.connections_made == 1
    (ssh_folder / "config").write_bytes(
        (ssh_folder / "config").read_bytes().replace(b"Host gpu1", f"Host {node.address}".encode())
    )
    assert await read_all(await transport.open(["echo", "here"])) == b"here\n"
    assert node.connections_made == 2
