"""Messages sealed with the login's session key: MS-WSMV's ``multipart/encrypted``."""

from __future__ import annotations

import re
import struct

import spnego

_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOL = b"application/HTTP-SPNEGO-session-encrypted"
_OCTETS = b"Content-Type: application/octet-stream\r\n"
_LENGTH = re.compile(rb"Length=(\d+)")

CONTENT_TYPE = f'multipart/encrypted;protocol="{_PROTOCOL.decode()}";boundary="Encrypted Boundary"'


class NotSealed(ValueError):
    """The message is malformed, or sealed for another login."""


def seal(context: spnego.ContextProxy, body: bytes) -> bytes:
    """Wrap ``body`` for the client of ``context``."""
    wrapped = context.wrap_winrm(body)
    length = str(len(body) + wrapped.padding_length).encode()
    return b"".join(
        (
            _BOUNDARY, b"\r\n\tContent-Type: ", _PROTOCOL,
            b"\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=", length,
            b"\r\n", _BOUNDARY, b"\r\n\t", _OCTETS,
            struct.pack("<i", len(wrapped.header)), wrapped.header, wrapped.data, _BOUNDARY, b"--\r\n",
        )
    )  # fmt: skip


def unseal(context: spnego.ContextProxy, message: bytes) -> bytes:
    """Return the plain body; raises NotSealed."""
    # Sealed bytes may hold anything, the boundary too: take the first header and the last boundary.
    opening, found, rest = message.partition(_OCTETS)
    length = _LENGTH.search(opening)
    end = rest.rfind(_BOUNDARY + b"--")
    if not found or not length or end < 4:
        raise NotSealed("the parts of a sealed message are missing")
    data = rest[:end]
    header = struct.unpack("<i", data[:4])[0]
    if not 0 < header <= len(data) - 4:
        raise NotSealed("the signature's length is wrong")
    try:
        plain = context.unwrap_winrm(data[4 : 4 + header], data[4 + header :])
    except Exception as error:  # pyspnego raises many kinds on foreign bytes
        raise NotSealed(str(error)) from error
    if len(plain) != int(length.group(1)):
        raise NotSealed("the length differs from the announced one")
    return plain
