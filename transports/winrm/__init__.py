"""Channels over WinRM (WS-Management), by pywinrm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace as replaced

from agent.wire.message import Message, message
from transports.kind import AutoMethod, Choice, LocalPath, Option, Service, ServiceCheck, Text, TransportKind

if TYPE_CHECKING:
    from transports.base import Endpoint, Prompts, Transport
    from transports.errors import TransportError

HTTPS_PORT, HTTP_PORT = 5986, 5985
#: Bounds the first contact in seconds.
_REACH = 8.0


def _create(endpoint: Endpoint, prompts: Prompts, known_hosts: Path, reach: float = _REACH) -> Transport:
    from transports.winrm.transport import WinRMTransport  # pywinrm takes 0.3 s to import

    return WinRMTransport(endpoint, prompts, known_hosts=known_hosts, reach=reach)


def _create_https(endpoint: Endpoint, prompts: Prompts, known_hosts: Path, reach: float) -> Transport:
    options = {**dict(endpoint.options), "scheme": "https"}
    return _create(_on(endpoint, HTTPS_PORT, options), prompts, known_hosts, reach)


def _create_http(endpoint: Endpoint, prompts: Prompts, known_hosts: Path, reach: float) -> Transport:
    # NTLM seals every message, so that a password or its use can't be intercepted on plain http.
    options = {"scheme": "http", "auth": "ntlm", "python": dict(endpoint.options).get("python", "")}
    return _create(_on(endpoint, HTTP_PORT, options), prompts, known_hosts, reach)


def _on(endpoint: Endpoint, port: int, options: dict[str, str]) -> Endpoint:
    return replace(endpoint, port=endpoint.port or port, options=tuple(options.items()))


def _admits_https(endpoint: Endpoint) -> bool:
    return dict(endpoint.options).get("scheme") in (None, "https")


def _admits_http(endpoint: Endpoint) -> bool:
    return dict(endpoint.options).get("scheme") in (None, "http")


def _forbids_http(endpoint: Endpoint, known_hosts: Path) -> TransportError | None:
    from transports.winrm.downgrade import downgrade_error

    return downgrade_error(endpoint, known_hosts)


def _select(services: tuple[Service, ...], endpoint: Endpoint) -> tuple[Service, ...]:
    """Return the services of the scheme that the options name, or that a given port usually has."""
    scheme = dict(endpoint.options).get("scheme")
    if scheme is None and endpoint.port is not None:
        scheme = "https" if endpoint.port == HTTPS_PORT else "http"
    return tuple(
        replaced(service, port=endpoint.port or service.port)
        for service in services
        if scheme in (None, service.scheme)
    )


def _enable_remoting(node: str) -> Message:
    return message(
        "preflight.winrm-closed.remedy",
        "run worker_setup.ps1 on {node} (it enables PowerShell Remoting)",
        node=node,
    )


KIND: Final = TransportKind(
    name="winrm",
    summary=message(
        "transport.winrm",
        "WinRM (pywinrm): NTLM, Kerberos, or Basic over https; messages are encrypted over http, and "
        "certificates are checked over https",
    ),
    create=_create,
    uses=frozenset({"port", "user", "password", "host-key"}),
    options=(
        Option("scheme", Choice(("https", "http")),
               "`http` is also encrypted, by NTLM or Kerberos", "`https` on port 5986, else `http`"),
        Option("auth", Choice(("ntlm", "kerberos", "basic")),
               "how to log in; `basic` over https only", "what the node offers"),
        Option("ca", LocalPath(),
               "PEM file on the master with the CA, or with the node's own https certificate",
               "the system's CAs"),
        Option("fingerprint", Text(),
               "SHA-256 fingerprint of the node's https certificate, which then needs no CA",
               form="SHA256:..."),
        Option("python", Text(),
               "interpreter on the node that starts programs other than Python",
               "none; a broken connection then ends such a program", form="path or command"),
    ),
    check=ServiceCheck(
        title=message("check.winrm", "WinRM ports and Identify"),
        services=(Service("winrm", HTTPS_PORT, "https"), Service("winrm", HTTP_PORT, "http")),
        select=_select,
        remedy=_enable_remoting,
    ),
    auto=(
        AutoMethod(name="winrm (https)", order=20, create=_create_https, admits=_admits_https),
        AutoMethod(
            name="winrm (http)", order=30, create=_create_http, admits=_admits_http, forbids=_forbids_http
        ),
    ),
    ansible=("winrm", "psrp"),
)  # fmt: skip
