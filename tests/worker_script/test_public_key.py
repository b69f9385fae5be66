"""Which texts are public keys that sshd accepts."""

from __future__ import annotations

import base64
from pathlib import Path

import asyncssh
import pytest

from fleet.worker_script.public_key import KeyFault, public_key

KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
#: The base point of P-256.
POINT = bytes.fromhex(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def line(*fields: bytes, kind: str = "") -> str:
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"{kind or fields[0].decode()} {base64.b64encode(blob).decode()}"


ED25519 = line(b"ssh-ed25519", bytes(range(32)))
#: Hardware keys, which only their device can make.
DEVICES = (
    line(b"sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    line(b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", POINT, b"ssh:"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_key_generator_writes(kind: str, tmp_path: Path) -> None:
    key = asyncssh.generate_private_key(
        kind, comment="kim@master", **({"key_size": 2048} if "rsa" in kind else {})
    )
    file = tmp_path / "id.pub"
    key.write_public_key(str(file))
    assert public_key(str(file)) == file.read_text("ascii").strip() == public_key(file.read_text("ascii"))


@pytest.mark.parametrize("text", DEVICES)
def test_keys_of_devices(text: str) -> None:
    assert public_key(text) == text
    assert asyncssh.import_public_key(text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_as_windows_programs_write_it(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "id.pub"
    file.write_bytes(f"{ED25519}  \uae40\u2019s  PC \r\n".encode(encoding))
    assert public_key(str(file)) == f"{ED25519} s PC"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ssh-ed25519 AAAA kim@master", "public-key.damaged"),
        ("ssh-ed25519 ==== kim@master", "public-key.neither"),
        (ED25519[:-9], "public-key.damaged"),
        (ED25519 + "AAAA", "public-key.damaged"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa"), "public-key.damaged"),
        (ED25519.replace("ssh-ed25519", "SSH-ED25519"), "public-key.neither"),
        (line(b"ssh-ed25519", bytes(31)), "public-key.damaged"),
        (line(b"ssh-ed25519", bytes(32), b"more"), "public-key.damaged"),
        (line(b"ssh-rsa", b"\1\0\1", bytes(2) + b"\1" * 100), "public-key.damaged"),
        (line(b"ecdsa-sha2-nistp256", b"nistp384", POINT), "public-key.damaged"),
        (line(b"ecdsa-sha2-nistp256", b"nistp256", b"\2" + bytes(32)), "public-key.damaged"),
        (line(b"ssh-ed25519-cert-v01@openssh.com", bytes(32)), "public-key.damaged"),
        (f'command="calc" {ED25519}', "public-key.neither"),
        (f"{ED25519}\n{ED25519}", "public-key.several"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "public-key.private"),
        ("no/such/id_ed25519.pub", "public-key.neither"),
        ("", "public-key.neither"),
        (".", "public-key.unreadable"),
        ("a\0b", "public-key.unreadable"),
    ],
)
def test_what_is_no_key_is_refused(text: str, reason: str) -> None:
    with pytest.raises(KeyFault) as caught:
        public_key(text)
    if text == "":
        assert caught.value.what.id in (reason, "public-key.unreadable")  # the current folder
    else:
        assert caught.value.what.id == reason


@pytest.mark.parametrize("content", ["", "# a comment\n", "PuTTY-User-Key-File-3: ssh-ed25519\n", "<html>\n"])
def test_a_file_without_a_key_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "id.pub"
    file.write_text(content, "utf-8")
    with pytest.raises(KeyFault) as caught:
        public_key(str(file))
    assert caught.value.what.id == "public-key.not-a-key"


def test_a_private_key_in_a_file_is_not_copied(tmp_path: Path) -> None:
    file = tmp_path / "id_ed25519"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(file))
    with pytest.raises(KeyFault) as caught:
        public_key(str(file))
    assert caught.value.what.id == "public-key.private"
