"""Misbehaviour of an HTTP server, as raw bytes in place of an answer, and of its XML."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Callable

from tests.hostile.winrm.server import Wire

Raw = Callable[[Wire], None]

_REASONS = {200: "OK", 401: "Unauthorized", 500: "Error"}
_OFFER = b"WWW-Authenticate: Negotiate\r\n"


def head(status: int, *fields: bytes) -> bytes:
    """The status line and headers of an answer, without their end."""
    line = b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, "Odd").encode())
    return line + _OFFER + b"".join(field + b"\r\n" for field in fields)


def redirect(status: int, target: str) -> Raw:
    return lambda wire: wire.send(head(status, b"Location: " + target.encode(), b"Content-Length: 0", b""))


def endless_chunks(status: int) -> Raw:
    def attack(wire: Wire) -> None:
        wire.send(head(status, b"Transfer-Encoding: chunked", b""))
        wire.forever(b"8000\r\n" + bytes(0x8000) + b"\r\n")

    return attack


def endless_body(status: int) -> Raw:
    def attack(wire: Wire) -> None:
        wire.send(head(status, b"Connection: close", b""))
        wire.forever(bytes(1 << 15))

    return attack


def endless_chunk_size(status: int) -> Raw:
    def attack(wire: Wire) -> None:
        wire.send(head(status, b"Transfer-Encoding: chunked", b""))
        wire.forever(b"0" * (1 << 15))

    return attack


def endless_trailers(status: int) -> Raw:
    def attack(wire: Wire) -> None:
        wire.send(head(status, b"Transfer-Encoding: chunked", b"") + b"0\r\n")
        wire.forever(b"Trailer: " + b"t" * 4000 + b"\r\n")

    return attack


@functools.cache
def _zeros(packing: str) -> bytes:
    """3 GB of zeros, compressed."""
    part = bytes(30 << 20)
    if packing == "gzip":
        return gzip.compress(part) * 100  # members follow each other
    packer = zlib.compressobj()
    start = packer.compress(b"0") + packer.flush(zlib.Z_FULL_FLUSH)
    # A fully flushed block refers to nothing before it, so that it can be repeated.
    return start + (packer.compress(part) + packer.flush(zlib.Z_FULL_FLUSH)) * 100 + packer.flush()


def bomb(status: int, packing: str) -> Raw:
    body = _zeros(packing)
    fields = (b"Content-Encoding: " + packing.encode(), b"Content-Length: %d" % len(body), b"")
    return lambda wire: wire.send(head(status, *fields) + body)


def announced(status: int, length: bytes, sent: bytes = b"") -> Raw:
    def attack(wire: Wire) -> None:
        wire.send(head(status, b"Content-Length: " + length, b"") + sent)
        wire.hold()

    return attack


def two_lengths(status: int) -> Raw:
    return lambda wire: wire.send(head(status, b"Content-Length: 3", b"Content-Length: 5", b"") + b"xxxxx")


def slow_body(status: int) -> Raw:
    def attack(wire: Wire) -> None:
        wire.send(head(status, b"Content-Length: 5000", b""))
        wire.slowly(bytes(5000), 0.1)

    return attack


def slow_headers(status: int) -> Raw:
    return lambda wire: wire.slowly(head(status) + b"X: " + b"x" * 5000, 0.1)


def interim_flood(wire: Wire) -> None:
    wire.forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)


def early_hints(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    wire.hold()


def endless_header(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 401 Unauthorized\r\nX: ")
    wire.forever(b"x" * (1 << 15))


def many_headers(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 401 Unauthorized\r\n")
    wire.forever(b"X: x\r\n" * 5000)


def endless_status_line(wire: Wire) -> None:
    wire.forever(b"HTTP/1.1 401 U" * 2000)


def proxy_login(wire: Wire) -> None:
    wire.send(b"HTTP/1.1 407 Proxy\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n")


def silence(wire: Wire) -> None:
    wire.hold()


def laughs(document: bytes) -> bytes:
    """Entities that would expand to gigabytes."""
    lines = [b'<!ENTITY l0 "ha">']
    lines += [b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 12)]
    return b"<!DOCTYPE r [" + b"".join(lines) + b"]><r>&l11;</r>"


def external(target: str) -> Callable[[bytes], bytes]:
    """An entity that would be read from a file or another host."""
    declared = f'<!DOCTYPE r [<!ENTITY x SYSTEM "{target}">]><r>&x;</r>'.encode()
    return lambda document: declared


def external_subset(target: str) -> Callable[[bytes], bytes]:
    return lambda document: f'<!DOCTYPE r SYSTEM "{target}">'.encode() + document


def deep(document: bytes) -> bytes:
    return b"<a>" * 50_000 + b"</a>" * 50_000


def wide(document: bytes) -> bytes:
    return b"<r>" + b"<a/>" * 120_000 + b"</r>"


def attributes(document: bytes) -> bytes:
    return b"<r " + b" ".join(b'a%d=""' % number for number in range(55_000)) + b"/>"


def declarations(document: bytes) -> bytes:
    return b"<r " + b" ".join(b'xmlns:a%d="x"' % number for number in range(20_000)) + b"/>"


def undeclared_prefix(document: bytes) -> bytes:
    return b"<a:r/>"


def brace_in_a_namespace(document: bytes) -> bytes:
    """ElementTree separates a namespace from a name by this brace."""
    return b"<a:r xmlns:a='x}y'/>"


def in_utf16(document: bytes) -> bytes:
    return document.decode().encode("utf-16")


def in_ebcdic(document: bytes) -> bytes:
    return b'<?xml version="1.0" encoding="cp500"?>' + document
