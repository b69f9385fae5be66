"""What an endpoint's options say about WinRM, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transports.base import Endpoint
from transports.errors import TransportError

HTTP_PORT, HTTPS_PORT = 5985, 5986
Auth = Literal["ntlm", "kerberos", "basic"]
_AUTHS: tuple[Auth, ...] = ("ntlm", "kerberos", "basic")
_FINGERPRINT = re.compile(r"(?:SHA256:)?([0-9A-Fa-f]{64})$")


@dataclass(frozen=True, slots=True)
class Options:
    """How to log in over WinRM; made by `read_options`."""

    scheme: str
    port: int
    #: ntlm, kerberos, basic (over TLS only) or empty: what the node offers.
    auth: Auth | Literal[""]
    #: PEM file with the authority or the node's own certificate; None means the system's store.
    ca: Path | None
    #: SHA-256 of the node's certificate in hex, which then needs no authority and no matching name.
    fingerprint: str
    #: The interpreter that carries programs other than Python; empty: they go without the relay.
    python: str

    def url(self, host: str) -> str:
        """The address of the service on ``host``."""
        bracketed = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{bracketed}:{self.port}/wsman"


def read_options(endpoint: Endpoint) -> Options:
    """Read ``scheme auth ca fingerprint python`` of an endpoint; raises TransportError naming every fault."""
    given = dict(endpoint.options)
    faults = []
    scheme = given.pop("scheme", "") or ("https" if endpoint.port == HTTPS_PORT else "http")
    wanted = given.pop("auth", "")
    auth = next((known for known in _AUTHS if known == wanted), None)
    ca = given.pop("ca", "")
    fingerprint = given.pop("fingerprint", "").replace(" ", "")
    python = given.pop("python", "")
    if scheme not in ("http", "https"):
        faults.append(f"scheme is {scheme!r}, and must be http or https")
    if wanted and not auth:
        faults.append(f"auth is {wanted!r}, and must be one of {', '.join(_AUTHS)}")
    if auth == "basic" and scheme == "http":
        faults.append("auth basic would send the password in clear text over http")
    if ca and not Path(ca).expanduser().is_file():
        faults.append(f"the certificate file {ca} does not exist")
    matched = _FINGERPRINT.match(fingerprint.replace(":", "") if fingerprint.count(":") > 1 else fingerprint)
    if fingerprint and not matched:
        faults.append("fingerprint must be SHA256: and 64 hex digits")
    faults.extend(f"unknown option {name!r}" for name in given)
    if faults:
        raise TransportError(
            "the WinRM options are wrong: " + "; ".join(faults),
            where=str(endpoint),
            remedy="correct the node's options in the inventory",
        )
    return Options(
        scheme=scheme,
        port=endpoint.port or (HTTPS_PORT if scheme == "https" else HTTP_PORT),
        auth=auth or "",
        ca=Path(ca).expanduser() if ca else None,
        fingerprint=matched.group(1).upper() if matched else "",
        python=python,
    )
