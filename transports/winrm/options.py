"""The WinRM options of an endpoint, checked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.wire.message import Message, message
from transports.base import Endpoint
from transports.errors import TransportError
from transports.winrm import HTTP_PORT, HTTPS_PORT

Auth = Literal["ntlm", "kerberos", "basic"]
_AUTHS: tuple[Auth, ...] = ("ntlm", "kerberos", "basic")
_FINGERPRINT = re.compile(r"(?:SHA256:)?([0-9A-Fa-f]{64})$")


@dataclass(frozen=True, slots=True)
class Options:
    """How to log in over WinRM; made by `read_options`."""

    scheme: str
    port: int
    #: ntlm, kerberos, basic (over TLS only), or empty for the best one that the node offers.
    auth: Auth | Literal[""]
    #: PEM file with the authority or the node's own certificate; None means the system's store.
    ca: Path | None
    #: SHA-256 of the node's certificate in hex; its CA and name are then not checked.
    fingerprint: str
    #: Interpreter of the relay for programs other than Python; without one they run without a relay.
    python: str

    def url(self, host: str) -> str:
        """The address of the service on ``host``."""
        bracketed = f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{bracketed}:{self.port}/wsman"


def read_options(endpoint: Endpoint) -> Options:
    """Read ``scheme auth ca fingerprint python`` of an endpoint; raises TransportError naming every fault."""
    given = dict(endpoint.options)
    faults: list[Message] = []
    scheme = given.pop("scheme", "") or ("https" if endpoint.port == HTTPS_PORT else "http")
    wanted = given.pop("auth", "")
    auth = next((known for known in _AUTHS if known == wanted), None)
    ca = given.pop("ca", "")
    fingerprint = given.pop("fingerprint", "").replace(" ", "")
    python = given.pop("python", "")
    if scheme not in ("http", "https"):
        faults.append(message("winrm.scheme", "scheme must be http or https, not {scheme!r}", scheme=scheme))
    if wanted and not auth:
        faults.append(
            message("winrm.auth", "auth must be one of {known}, not {auth!r}", auth=wanted, known=_AUTHS)
        )
    if auth == "basic" and scheme == "http":
        faults.append(
            message("winrm.basic-over-http", "auth basic would send the password in clear text over http")
        )
    # Path.expanduser raises for an unknown user.
    certificates = Path(os.path.expanduser(ca)) if ca else None  # noqa: PTH111
    if certificates and not certificates.is_file():
        faults.append(message("winrm.ca", "the certificate file {path} does not exist", path=ca))
    matched = _FINGERPRINT.match(fingerprint.replace(":", "") if fingerprint.count(":") > 1 else fingerprint)
    if fingerprint and not matched:
        faults.append(message("winrm.fingerprint", "fingerprint must be SHA256: and 64 hex digits"))
    faults.extend(message("winrm.option", "the option {name!r} is unknown", name=name) for name in given)
    if faults:
        raise TransportError(
            message("winrm.options", "the WinRM options are not valid: {faults:; }", faults=faults),
            where=str(endpoint),
            remedy=message("winrm.options.remedy", "correct the node's options in the inventory"),
        )
    return Options(
        scheme=scheme,
        port=endpoint.port or (HTTPS_PORT if scheme == "https" else HTTP_PORT),
        auth=auth or "",
        ca=certificates,
        fingerprint=matched.group(1).upper() if matched else "",
        python=python,
    )
