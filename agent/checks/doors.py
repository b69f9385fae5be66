"""Is there a service behind a port, and is it what we think: SSH by its banner, WinRM by Identify."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from contextlib import suppress
from typing import Any, Dict, List, Optional

from agent.checks.errors import outcome_of

_PATIENCE = 4.0
_IDENTIFY = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
    "<s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>"
)


def resolve(host: str) -> Dict[str, Any]:
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


def ssh(address: str, port: int) -> Dict[str, Any]:
    """Return ``{"port", "outcome", "banner", "ms"}`` of an SSH server; nobody logs in."""
    answer: Dict[str, Any] = {"port": port, "outcome": "open", "banner": "", "ms": None}
    begun = time.perf_counter()
    try:
        with socket.create_connection((address, port), timeout=_PATIENCE) as channel:
            answer["ms"] = round((time.perf_counter() - begun) * 1000, 3)
            answer["banner"] = read_banner(channel)
    except OSError as error:
        answer["outcome"] = outcome_of(error)
        return answer
    if not answer["banner"]:
        answer["outcome"] = "silent"
    elif not answer["banner"].startswith("SSH-"):
        answer["outcome"] = "foreign"
    return answer


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
                    return line.decode("ascii", "replace").strip()
    return received.partition(b"\n")[0].decode("ascii", "replace").strip()[:200]


def winrm(address: str, scheme: str, port: int) -> Dict[str, Any]:
    """Return ``{"port", "scheme", "outcome", "product", "auth", "ms"}`` of an unauthenticated Identify.

    A service that answers 401 is WinRM, too: it wants a login even for that.
    """
    answer: Dict[str, Any] = {
        "port": port,
        "scheme": scheme,
        "outcome": "open",
        "product": "",
        "auth": [],
        "ms": None,
    }
    begun = time.perf_counter()
    connection = _connection(address, scheme, port)
    try:
        connection.connect()
        answer["ms"] = round((time.perf_counter() - begun) * 1000, 3)
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8", "WSMANIDENTIFY": "unauthenticated"}
        connection.request("POST", "/wsman", _IDENTIFY.encode("ascii"), headers)
        reply = connection.getresponse()
        text = reply.read(65536).decode("utf-8", "replace")
        schemes = reply.headers.get_all("WWW-Authenticate") or []
    except ssl.SSLError:
        answer["outcome"] = "foreign"
    except http.client.HTTPException:
        answer["outcome"] = "silent" if answer["ms"] is not None else "error"
    except OSError as error:
        answer["outcome"] = "silent" if answer["ms"] is not None else outcome_of(error)
    else:
        answer["auth"] = sorted({offer.split()[0] for offer in schemes if offer.split()})
        answer["product"] = product(text)
        if not answer["product"] and reply.status != 401:
            answer["outcome"] = "foreign"
    finally:
        connection.close()
    return answer


def product(text: str) -> str:
    """Return what an IdentifyResponse says of the service: vendor and version."""
    parts = []
    for name in ("ProductVendor", "ProductVersion"):
        found = re.search(r"<(?:\w+:)?%s>([^<]*)<" % name, text)
        if found and found.group(1).strip():
            parts.append(found.group(1).strip())
    return " ".join(parts)


def _connection(address: str, scheme: str, port: int) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(address, port, timeout=_PATIENCE)
    # Who the node is, the login decides; here nothing secret is sent.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=_PATIENCE, context=context)


def handshake(address: str, port: int) -> Optional[float]:
    """Return the milliseconds of a TCP handshake, None when there is none."""
    begun = time.perf_counter()
    try:
        with socket.create_connection((address, port), timeout=2.0):
            return round((time.perf_counter() - begun) * 1000, 3)
    except OSError:
        return None
