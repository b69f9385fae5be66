"""Certificates for the service's HTTPS listener."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files; ``fingerprint`` is ``SHA256:`` and upper-case hex of the certificate."""

    chain: Path
    key: Path
    fingerprint: str


def self_signed(
    folder: Path, names: Sequence[str], *, now: datetime.datetime | None = None, days: int = 30
) -> Certificate:
    """Write a self-signed certificate for host ``names`` (or addresses), valid for ``days`` from ``now``.

    Windows makes the like with ``New-SelfSignedCertificate``. Days may be negative: an expired one.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    start, end = sorted((now, now + datetime.timedelta(days=days)))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - datetime.timedelta(days=1))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    chain, private = folder / "winrm.pem", folder / "winrm.key"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return Certificate(chain, private, f"SHA256:{fingerprint}")


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
