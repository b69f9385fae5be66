"""The master's public SSH key, as it stands in a .pub file (RFC 4253, 5656, 8709; PROTOCOL.u2f)."""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise
from pathlib import Path

from agent.wire.message import EMPTY, Message, message
from agent.wire.reasons import system_reason
from fleet.inventory.faults import Fault
from transports.regular_files import read_regular

_LARGEST = 1 << 16
_WORD = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_UNPRINTABLE = re.compile("[^ -~]")
#: Curve -> bytes of an uncompressed point on it.
_POINTS = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
_RSA_BYTES = 128
_TAKE_PUB = message(
    "public-key.remedy", "give the file id_ed25519.pub of this machine, or the one line in it"
)


class KeyFault(Exception):
    """The text is no public key that sshd accepts; ``what`` says why, and the ``remedy``."""

    def __init__(self, what: Message, remedy: Message = _TAKE_PUB) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def public_key(given: str) -> str:
    """Return the key's line in ASCII, from the line itself or from a file with it; raises KeyFault."""
    text = given.strip()
    # A base64 text may have slashes, but a line has a blank behind the key's type and a path's part has not.
    if _blob(text.split()) is None and "PRIVATE KEY" not in text:
        text = _read(Path(given).expanduser())
    return _checked(text)


def fault(error: KeyFault) -> Fault:
    """Return the error as a fault of the option."""
    return Fault(error.what, error.remedy, key="public-key")


def _read(path: Path) -> str:
    try:
        content = read_regular(path, _LARGEST)
    except FileNotFoundError:
        what = message(
            "public-key.neither", "{text!r} is neither a public SSH key nor a file", text=str(path)[:200]
        )
        raise KeyFault(what) from None
    except (OSError, ValueError) as error:
        reason = system_reason(error) if isinstance(error, OSError) else Message(str(error))
        what = message(
            "public-key.unreadable", "{path} cannot be read: {reason}", path=str(path), reason=reason
        )
        raise KeyFault(what, EMPTY) from None
    # Windows PowerShell's `>` writes UTF-16.
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return content.decode(encoding, "replace").strip()


def _checked(text: str) -> str:
    if "PRIVATE KEY" in text:
        raise KeyFault(
            message("public-key.private", "this is a private key, which must not leave this machine")
        )
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) > 1:
        raise KeyFault(
            message(
                "public-key.several",
                "there are {count} lines, but one public key is needed",
                count=len(lines),
            )
        )
    kind, _, rest = (lines[0] if lines else "").strip().partition(" ")
    word, _, comment = rest.strip().partition(" ")
    blob = _blob([kind, word])
    if blob is None:
        raise KeyFault(message("public-key.not-a-key", "this is not a public SSH key"))
    if not _fits(kind, _fields(blob)):
        raise KeyFault(
            message("public-key.damaged", "the key is not a complete key of the type {kind}", kind=kind)
        )
    # The comment is for people only, and the file is ASCII.
    comment = " ".join(_UNPRINTABLE.sub("", comment).split())
    return f"{kind} {word} {comment}".strip()


def _blob(words: list[str]) -> bytes | None:
    """Return the key itself when the words begin with a type and base64."""
    if len(words) < 2 or not _WORD.fullmatch(words[1]):
        return None
    if not re.fullmatch(r"(ssh|ecdsa|sk)-[a-z0-9@.-]{1,60}", words[0]):
        return None
    try:
        return base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return b""


def _fields(blob: bytes) -> list[bytes]:
    """Return the strings of a key, each with its length before it; empty when the lengths do not fit."""
    ends = [0]
    while ends[-1] < len(blob):
        length = int.from_bytes(blob[ends[-1] : ends[-1] + 4], "big")
        ends.append(ends[-1] + 4 + length)
    if ends[-1] != len(blob):
        return []
    return [blob[start + 4 : end] for start, end in pairwise(ends)]


def _fits(kind: str, fields: list[bytes]) -> bool:
    """Return whether these are the parts of a key of this type, in the right sizes."""
    if not fields or fields[0] != kind.encode():
        return False
    match kind, fields[1:]:
        case "ssh-ed25519", [key]:
            return len(key) == 32
        case "sk-ssh-ed25519@openssh.com", [key, application]:
            return len(key) == 32 and bool(application)
        case "ssh-rsa", [exponent, modulus]:
            return bool(exponent) and len(modulus.lstrip(b"\0")) >= _RSA_BYTES
        case _, [curve, point] if kind.startswith("ecdsa-sha2-"):
            return _on_curve(kind.removeprefix("ecdsa-sha2-"), curve, point)
        case "sk-ecdsa-sha2-nistp256@openssh.com", [curve, point, application]:
            return _on_curve("nistp256", curve, point) and bool(application)
    return False


def _on_curve(name: str, curve: bytes, point: bytes) -> bool:
    return curve == name.encode() and len(point) == _POINTS.get(name) and point.startswith(b"\x04")
