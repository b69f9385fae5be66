"""Bodies that are sealed with the login's key: ``multipart/encrypted`` of MS-WSMV 2.2.9.1."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from agent.wire.message import Message, message
from transports.quoting import quoted
from transports.winrm.document import MalformedAnswer

_BOUNDARY = b"--Encrypted Boundary"
#: The two headers before the sealed bytes. Windows and other services differ in the leading tab.
_OPENING = re.compile(
    rb"--Encrypted Boundary\r\n"
    rb"[\t ]*Content-Type:[ ]*application/HTTP-(?:SPNEGO|Kerberos)-session-encrypted\r\n"
    rb"[\t ]*OriginalContent:[ ]*type=[\w/+.-]{1,80};[ ]*charset=[\w-]{1,20};[ ]*Length=(\d{1,10})\r\n"
    rb"--Encrypted Boundary\r\n"
    rb"[\t ]*Content-Type:[ ]*application/octet-stream\r\n",
    re.IGNORECASE,
)
_CLOSING = b"--Encrypted Boundary--"
_LONGEST_SIGNATURE = 256

#: Takes the sealed bytes and their signature, and returns the plain bytes.
Unwrap = Callable[[bytes, bytes], bytes]


def is_sealed(content_type: str) -> bool:
    """Whether a Content-Type announces a sealed body."""
    return content_type.lower().startswith("multipart/encrypted")


def unseal(body: bytes, unwrap: Unwrap) -> bytes:
    """Return the plain bytes of a sealed ``body``; raises MalformedAnswer.

    The announced length must be that of the plain bytes: MS-WSMV has no other way to detect a cut message.
    """
    opening = _OPENING.match(body)
    # The sealed bytes may contain the boundary by chance, so only the last one ends them.
    end = body.rfind(_CLOSING)
    if not opening or end < opening.end() or body[end + len(_CLOSING) :].strip(b"\r\n"):
        raise MalformedAnswer(message("winrm.sealed-parts", "the parts of a sealed answer are missing"))
    sealed = body[opening.end() : end]
    if len(sealed) < 4:
        raise MalformedAnswer(message("winrm.sealed-unsigned", "a sealed answer has no signature"))
    size = int(struct.unpack("<I", sealed[:4])[0])
    if not 0 < size <= min(_LONGEST_SIGNATURE, len(sealed) - 4):
        raise MalformedAnswer(message("winrm.sealed-signature", "a signature has {size} bytes", size=size))
    announced = int(opening.group(1))
    if announced > len(sealed):
        raise MalformedAnswer(_other_length(announced, len(sealed)))
    try:
        plain = unwrap(sealed[4 + size :], sealed[4 : 4 + size])
    except Exception as error:  # the library raises many kinds on foreign bytes
        problem = message(
            "winrm.sealed-key",
            "the answer is not sealed with this login's key: {error}",
            error=quoted(str(error)),
        )
        raise MalformedAnswer(problem) from error
    if len(plain) != announced:
        raise MalformedAnswer(_other_length(announced, len(plain)))
    return plain


def _other_length(announced: int, sealed: int) -> Message:
    return message(
        "winrm.sealed-length",
        "a sealed answer announces {announced:n byte} and has {sealed}",
        announced=announced,
        sealed=sealed,
    )
