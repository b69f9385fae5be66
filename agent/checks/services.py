"""Recognises the service on a port: SSH by its banner, WinRM by Identify, others by the connection."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from contextlib import suppress
from typing import List, Optional

from agent.checks.errors import outcome_of
from agent.wire.preflight import FoundService, ResolvedName, ServiceProbe

_TIMEOUT = 4.0
#: Characters of a banner or of a scheme's name, and schemes of a service: more is not honest.
_LONGEST_BANNER = 255
_LONGEST_SCHEME = 40
_MOST_SCHEMES = 8
_IDENTIFY = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    "<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>"
)


def resolve(host: str) -> ResolvedName:
    """Return ``{"addresses", "seconds", "error"}``, addresses each once in the resolver's order."""
    begun = time.perf_counter()
    addresses: List[str] = []
    error = ""
    try:
        for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            text = str(entry[4][0])
            if text not in addresses:
                addresses.append(text)
    except (OSError, UnicodeError) as problem:
        error = str(problem)
    return {"addresses": addresses, "seconds": round(time.perf_counter() - begun, 3), "error": error}


def find(address: str, probe: ServiceProbe) -> FoundService:
    """Return what responds to a probe, without a login."""
    found: FoundService = {
        "transport": probe["transport"],
        "protocol": probe["protocol"],
        "scheme": probe["scheme"],
        "port": probe["port"],
        "outcome": "open",
        "banner": "",
        "auth": [],
        "ms": None,
    }
    if probe["protocol"] == "winrm":
        _identify(address, found)
    else:
        _connect(address, found)
    return found


def _connect(address: str, found: FoundService) -> None:
    """Connect, and read the banner of an SSH server."""
    begun = time.perf_counter()
    try:
        with socket.create_connection((address, found["port"]), timeout=_TIMEOUT) as channel:
            found["ms"] = round((time.perf_counter() - begun) * 1000, 3)
            if found["protocol"] == "tcp":
                return
            found["banner"] = read_banner(channel)
    except OSError as error:
        found["outcome"] = outcome_of(error)
        return
    if not found["banner"]:
        found["outcome"] = "silent"
    elif not found["banner"].startswith("SSH-"):
        found["outcome"] = "foreign"


def read_banner(channel: socket.socket) -> str:
    """Return the identification line; servers may send other lines before it (RFC 4253, 4.2)."""
    received = b""
    with suppress(OSError):
        while len(received) < 4096:
            piece = channel.recv(512)
            if not piece:
                break
            received += piece
            for line in received.split(b"\n")[:-1]:
                if line.startswith(b"SSH-"):
                    return _text(line)
    return _text(received.partition(b"\n")[0])


def _text(line: bytes) -> str:
    return line.decode("ascii", "replace").strip()[:_LONGEST_BANNER]


def _identify(address: str, found: FoundService) -> None:
    """Send an unauthenticated Identify.

    A service that answers 401 is WinRM, too: it requires a login even for that.
    """
    begun = time.perf_counter()
    connection = _connection(address, found["scheme"], found["port"])
    try:
        connection.connect()
        found["ms"] = round((time.perf_counter() - begun) * 1000, 3)
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8", "WSMANIDENTIFY": "unauthenticated"}
        connection.request("POST", "/wsman", _IDENTIFY.encode("ascii"), headers)
        reply = connection.getresponse()
        text = reply.read(65536).decode("utf-8", "replace")
        schemes = reply.headers.get_all("WWW-Authenticate") or []
    except ssl.SSLError:
        found["outcome"] = "foreign"
    except http.client.HTTPException:
        found["outcome"] = "silent" if found["ms"] is not None else "error"
    except OSError as error:
        found["outcome"] = "silent" if found["ms"] is not None else outcome_of(error)
    else:
        names = {offer.split()[0][:_LONGEST_SCHEME] for offer in schemes if offer.split()}
        found["auth"] = sorted(names)[:_MOST_SCHEMES]
        found["banner"] = product(text)[:_LONGEST_BANNER]
        if not found["banner"] and reply.status != 401:
            found["outcome"] = "foreign"
    finally:
        connection.close()


def product(text: str) -> str:
    """Return vendor and version of the service from an IdentifyResponse."""
    parts = []
    for name in ("ProductVendor", "ProductVersion"):
        found = re.search(r"<(?:\w+:)?%s>([^<]*)<" % name, text)
        if found and found.group(1).strip():
            parts.append(found.group(1).strip())
    return " ".join(parts)


def _connection(address: str, scheme: str, port: int) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(address, port, timeout=_TIMEOUT)
    # Who the node is, the login decides; here nothing secret is sent.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=_TIMEOUT, context=context)


def handshake(address: str, port: int) -> Optional[float]:
    """Return the milliseconds of a TCP handshake, None when there is none."""
    begun = time.perf_counter()
    try:
        with socket.create_connection((address, port), timeout=2.0):
            return round((time.perf_counter() - begun) * 1000, 3)
    except OSError:
        return None
