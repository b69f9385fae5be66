"""TLS certificates that the user has trusted, by fingerprint: known_hosts for WinRM over HTTPS."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

from agent.wire.message import message
from transports.base import HostKey
from transports.errors import TransportError
from transports.trust_file import TrustFile

ALGORITHM = message("winrm.tls-certificate", "TLS certificate")


class Pins:
    """The file ``known_certificates`` next to known_hosts: lines of ``[host]:port SHA256:HEX``."""

    def __init__(self, known_hosts: Path | None) -> None:
        self._file = TrustFile(known_hosts.with_name("known_certificates")) if known_hosts else None

    def find(self, host: str, port: int) -> str:
        """Return the trusted fingerprint of an address in hex, or an empty string; raises TransportError."""
        for line in self._file.read().splitlines() if self._file else ():
            name, _, fingerprint = line.partition(" ")
            if name == f"[{host}]:{port}":
                return fingerprint.removeprefix("SHA256:").strip()
        return ""

    def record(self, key: HostKey) -> None:
        """Add a fingerprint that the user has confirmed; raises TransportError."""
        if self._file is not None:
            self._file.append(f"[{key.host}]:{key.port} {key.fingerprint}\n")


def fetch_certificate(host: str, port: int, timeout: float, where: str) -> HostKey:
    """Fetch the certificate that the node shows, without trusting it; raises TransportError."""
    try:
        pem = ssl.get_server_certificate((host, port), timeout=timeout)
    except (OSError, ValueError) as error:
        problem = message(
            "winrm.certificate-unread", "the node's certificate cannot be read ({error})", error=str(error)
        )
        raise TransportError(problem, where=where) from error
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return HostKey(host, port, ALGORITHM, f"SHA256:{digest}")
