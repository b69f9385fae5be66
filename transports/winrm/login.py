"""Logging in to a node's WinRM: which schemes it offers, its certificate, and new pywinrm sessions."""

from __future__ import annotations

import importlib.util
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

import requests
from requests.adapters import HTTPAdapter
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from transports.errors import AuthenticationFailed, TransportError
from transports.winrm.options import Auth, Options
from transports.winrm.problems import certificate_problem, login_refused, no_ticket, sort_out


class _Verified(HTTPAdapter):
    """Connects over TLS with the system's authorities, a given one, or one certificate only."""

    def __init__(self, options: Options) -> None:
        self._context = ssl.create_default_context(cafile=str(options.ca) if options.ca else None)
        self._fingerprint = options.fingerprint or None
        if self._fingerprint:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(
            *args, **kwargs, ssl_context=self._context, assert_fingerprint=self._fingerprint
        )


@dataclass(frozen=True, slots=True)
class Login:
    """All that a new connection to the node needs."""

    url: str
    where: str
    options: Options
    auth: Auth
    user: str
    password: str | None = field(repr=False)

    def protocol(self, operation_timeout: int, read_timeout: int) -> Protocol:
        """Return a new pywinrm session for one thread, timeouts in seconds.

        Over plain HTTP every message is sealed with the login's key; pywinrm refuses when it can't.
        """
        tls = self.options.scheme == "https"
        protocol = Protocol(
            self.url,
            transport=self.auth,
            username=self.user,
            password=self.password,
            # None is allowed, and means: not what the environment says.
            ca_trust_path=None,  # type: ignore[arg-type]
            message_encryption="never" if tls else "always",
            operation_timeout_sec=operation_timeout,
            read_timeout_sec=read_timeout,
            proxy=None,
        )
        if tls:
            _secure(protocol.transport.build_session(), self.options)
        return protocol


def offered_schemes(url: str, options: Options, where: str, timeout: float) -> tuple[str, ...]:
    """Ask without logging in; return the WWW-Authenticate schemes in lower case. Raises TransportError."""
    with requests.Session() as session:
        session.trust_env = False
        _secure(session, options)
        try:
            answer = session.post(url, timeout=timeout)
        except requests.exceptions.SSLError as error:
            raise certificate_problem(error, where) from error
        except (requests.exceptions.RequestException, OSError) as error:
            raise sort_out(error, where) from error
    if answer.status_code != 401:
        raise TransportError(
            f"what answers there is not WinRM (HTTP status {answer.status_code} instead of a login)",
            where=where,
            remedy="check the port, and `winrm enumerate winrm/config/listener` on the node",
        )
    header = answer.headers.get("WWW-Authenticate", "")
    return tuple(
        part.split()[0].lower() for part in header.split(",") if part.strip() and "=" not in part.split()[0]
    )


def choose_auth(offered: tuple[str, ...], options: Options, where: str) -> Auth:
    """Return ntlm, kerberos or basic; raises AuthenticationFailed before any password is sent."""
    negotiate = "negotiate" in offered or "ntlm" in offered
    names = ", ".join(offered) or "nothing"
    wanted: Auth | Literal[""] = options.auth
    if not wanted:
        wanted = "basic" if not negotiate and "basic" in offered and options.scheme == "https" else "ntlm"
    if wanted == "ntlm" and not negotiate:
        raise AuthenticationFailed(
            f"the node does not offer Negotiate (it offers {names})",
            where=where,
            remedy='allow it (winrm set winrm/config/service/auth @{Negotiate="true"}), or use auth kerberos',
        )
    if wanted == "kerberos" and not {"kerberos", "negotiate"} & set(offered):
        raise AuthenticationFailed(
            f"the node does not offer Kerberos (it offers {names})",
            where=where,
            remedy="use auth ntlm for a node outside a domain",
        )
    if wanted == "basic" and "basic" not in offered:
        raise AuthenticationFailed(
            f"the node does not offer Basic (it offers {names})", where=where, remedy="use auth ntlm"
        )
    if wanted == "kerberos" and not _kerberos_installed():
        raise AuthenticationFailed(
            "auth kerberos needs a library that is not installed here",
            where=where,
            remedy="pip install 'dtui[kerberos]'",
        )
    return wanted


def first_call(protocol: Protocol, login: Login, message: str) -> bytes:
    """Send the first message of a login; raises AuthenticationFailed, explained, when it is refused."""
    try:
        return protocol.send_message(message)
    except (InvalidCredentialsError, PermissionError) as error:
        raise login_refused(login.user, login.auth, login.where) from error
    except Exception as error:
        # By name: the library is optional, and one of two.
        if type(error).__name__ in ("KerberosExchangeError", "MutualAuthenticationError", "GSSError"):
            raise no_ticket(error, login.where) from error
        raise


def _secure(session: requests.Session, options: Options) -> None:
    # A redirect would carry a login elsewhere.
    session.max_redirects = 0
    if options.scheme == "https":
        session.mount("https://", _Verified(options))
        if options.fingerprint:
            session.verify = False
        elif options.ca:
            session.verify = str(options.ca)


def _kerberos_installed() -> bool:
    return any(importlib.util.find_spec(name) for name in ("kerberos", "winkerberos"))
