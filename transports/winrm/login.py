"""Logging in to a node's WinRM: which schemes it offers, its certificate, and new pywinrm sessions."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, field
from typing import Literal

import requests
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from agent.wire.message import message
from transports.errors import AuthenticationFailed, TransportError
from transports.winrm.exchange import NodeExchange
from transports.winrm.http import node_session
from transports.winrm.options import Auth, Options
from transports.winrm.problems import (
    certificate_problem,
    classify_error,
    login_refused,
    no_ticket,
    status_problem,
)

#: A valid name of an authentication scheme, and the number of offered schemes that are read.
_SCHEME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_MOST_SCHEMES = 8


@dataclass(frozen=True, slots=True)
class Login:
    """The parameters of a new connection to the node."""

    url: str
    where: str
    options: Options
    auth: Auth
    user: str
    password: str | None = field(repr=False)

    def protocol(self, operation_timeout: int, read_timeout: int) -> Protocol:
        """Return a new pywinrm session for one thread, timeouts in seconds.

        Over plain HTTP every message is sealed with the login's key, and nothing else is accepted.
        """
        protocol = Protocol(
            self.url,
            transport=self.auth,
            username=self.user,
            # pywinrm's own transport, which is replaced below, requires one.
            password=self.password or "",
            operation_timeout_sec=operation_timeout,
            read_timeout_sec=read_timeout,
        )
        protocol.transport = NodeExchange(self, read_timeout)  # type: ignore[assignment]
        return protocol


def offered_schemes(url: str, options: Options, where: str, timeout: float) -> tuple[str, ...]:
    """Return the WWW-Authenticate schemes in lower case, without a login; raises TransportError."""
    with node_session(url, options, where) as session:
        try:
            answer = session.post(url, timeout=timeout)
        except requests.exceptions.SSLError as error:
            raise certificate_problem(error, where) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise classify_error(error, where) from error
    if answer.status_code in (502, 503, 504):
        # HTTP.sys answers so while the service behind it starts.
        raise status_problem(answer.status_code, where, "config")
    if answer.status_code != 401:
        raise TransportError(
            message(
                "winrm.no-challenge",
                "the service is not WinRM (HTTP status {status} instead of a login)",
                status=answer.status_code,
            ),
            where=where,
            remedy=message(
                "winrm.listener.remedy",
                "check the port with `winrm enumerate winrm/config/listener` on the node",
            ),
        )
    header = answer.headers.get("WWW-Authenticate", "")
    words = (part.split()[0].lower() for part in header.split(",") if part.strip())
    return tuple(word for word in words if _SCHEME.fullmatch(word))[:_MOST_SCHEMES]


def choose_auth(offered: tuple[str, ...], options: Options, where: str) -> Auth:
    """Return ntlm, kerberos or basic; raises AuthenticationFailed before any password is sent."""
    negotiate = "negotiate" in offered or "ntlm" in offered
    names = offered or (message("winrm.no-scheme", "no scheme"),)
    wanted: Auth | Literal[""] = options.auth
    if not wanted:
        wanted = "basic" if not negotiate and "basic" in offered and options.scheme == "https" else "ntlm"
    if wanted == "ntlm" and not negotiate:
        raise AuthenticationFailed(
            message(
                "winrm.no-negotiate", "the node does not offer Negotiate (it offers {names})", names=names
            ),
            where=where,
            remedy=message(
                "winrm.no-negotiate.remedy",
                'run winrm set winrm/config/service/auth @{{Negotiate="true"}} on the node, or use '
                "auth kerberos",
            ),
        )
    if wanted == "kerberos" and not {"kerberos", "negotiate"} & set(offered):
        raise AuthenticationFailed(
            message("winrm.no-kerberos", "the node does not offer Kerberos (it offers {names})", names=names),
            where=where,
            remedy=message("winrm.no-kerberos.remedy", "use auth ntlm for a node outside a domain"),
        )
    if wanted == "basic" and "basic" not in offered:
        raise AuthenticationFailed(
            message("winrm.no-basic", "the node does not offer Basic (it offers {names})", names=names),
            where=where,
            remedy=message("winrm.no-basic.remedy", "use auth ntlm"),
        )
    if wanted == "kerberos" and not _kerberos_installed():
        raise AuthenticationFailed(
            message(
                "winrm.kerberos-library",
                "auth kerberos needs a library that is not installed on this machine",
            ),
            where=where,
            remedy=message("winrm.kerberos-library.remedy", "run pip install 'dtui[kerberos]'"),
        )
    return wanted


def first_call(protocol: Protocol, login: Login, message: str) -> bytes:
    """Send the first message of a login; raises AuthenticationFailed with the reason if it is refused."""
    try:
        return protocol.send_message(message)
    except (InvalidCredentialsError, PermissionError) as error:
        raise login_refused(login.user, login.auth, login.where) from error
    except Exception as error:
        # By name: the library is optional, and one of two.
        if type(error).__name__ in ("KerberosExchangeError", "MutualAuthenticationError", "GSSError"):
            raise no_ticket(error, login.where) from error
        raise


def _kerberos_installed() -> bool:
    return any(importlib.util.find_spec(name) for name in ("kerberos", "winkerberos"))
