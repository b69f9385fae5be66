"""TLS certificates that a person has trusted, by fingerprint: known_hosts for WinRM over HTTPS."""

from __future__ import annotations

import hashlib
import os
import ssl
from pathlib import Path

from transports.base import HostKey
from transports.errors import TransportError

ALGORITHM = "TLS certificate"


class Pins:
    """The file ``known_certificates`` beside known_hosts: lines of ``[host]:port SHA256:HEX``."""

    def __init__(self, known_hosts: Path | None) -> None:
        self._path = known_hosts.with_name("known_certificates") if known_hosts else None

    def find(self, host: str, port: int) -> str:
        """Return the fingerprint in hex that was trusted for an address, or an empty string."""
        if self._path is None or not self._path.exists():
            return ""
        for line in self._path.read_text(encoding="utf-8").splitlines():
            name, _, fingerprint = line.partition(" ")
            if name == f"[{host}]:{port}":
                return fingerprint.removeprefix("SHA256:").strip()
        return ""

    def record(self, key: HostKey) -> None:
        """Keep a fingerprint that was just trusted."""
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = f"[{key.host}]:{key.port} {key.fingerprint}\n"
        # One write of one line: two nodes may be recorded at once.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8"))
        finally:
            os.close(descriptor)


def shown_certificate(host: str, port: int, timeout: float, where: str) -> HostKey:
    """Fetch the certificate that the node shows, without trusting it; raises TransportError."""
    try:
        pem = ssl.get_server_certificate((host, port), timeout=timeout)
    except (OSError, ValueError) as error:
        raise TransportError(f"the node's certificate can't be read ({error})", where=where) from error
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return HostKey(host, port, ALGORITHM, f"SHA256:{digest}")
