"""Classifies the exceptions of pywinrm and requests by their effect on a session."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator

import requests
from spnego.exceptions import SpnegoError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from agent.wire.message import EMPTY, Message, message
from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    ChannelLost,
    ServiceRefused,
    TransportError,
    Unreachable,
)
from transports.quoting import quoted
from transports.system_errors import TIMED_OUT, system_error
from transports.winrm.faults import Effect, Fault, Request, http_status
from transports.winrm.violation import protocol_violation

#: How http.client reports a connection that ended too early.
_CUT = (http.client.IncompleteRead, http.client.RemoteDisconnected, http.client.ImproperConnectionState)
#: How deep an error may be wrapped.
_WRAPPED = 16


class ShellGone(Exception):
    """The shell or the command no longer exists on the node; only a new shell can help."""

    def __init__(self, what: Message, remedy: Message = EMPTY) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class EnvelopeTooLarge(Exception):
    """The request is over the node's MaxEnvelopeSizekb."""

    what = message("winrm.envelope", "the message is larger than the node's MaxEnvelopeSizekb")


class AccessDenied(AuthenticationFailed):
    """The login succeeded, and then the service denied the account access."""


class LoginLost(AuthenticationFailed):
    """A session was logged in, and the node refuses the login of its new connections."""


class UnreadableAnswer(ChannelLost):
    """An answer that is cut, sealed for another login, or malformed. A new connection may help."""


def classify_error(
    error: Exception, where: str, at: Request = "config"
) -> ShellGone | EnvelopeTooLarge | TransportError | WinRMOperationTimeoutError:
    """Return the error that ``error``, of the request ``at``, stands for. A TransportError may be transient.

    Every exception is classified, because an answer of a node can make the libraries raise any of them.
    """
    if isinstance(error, (TransportError, ShellGone, EnvelopeTooLarge, WinRMOperationTimeoutError)):
        return error
    if isinstance(error, WSManFaultError):
        return _fault(error, where, at)
    if isinstance(error, InvalidCredentialsError):
        return new_login(where)
    if isinstance(error, WinRMTransportError):
        if error.code == 413:
            return EnvelopeTooLarge()
        return status_problem(error.code, where, at)
    if isinstance(error, requests.exceptions.SSLError):
        return certificate_problem(error, where)
    if violation := _not_http(error):
        return protocol_violation(
            message(
                "winrm.not-http",
                "the service does not use HTTP as WinRM does ({error})",
                error=quoted(str(violation)),
            ),
            where,
        )
    if isinstance(error, requests.exceptions.Timeout):
        return Unreachable(TIMED_OUT, where=where)
    if isinstance(error, (requests.exceptions.RequestException, OSError, SpnegoError, WinRMError)):
        return ChannelLost(
            message("winrm.broke", "the WinRM connection broke ({error})", error=innermost_reason(error)),
            where=where,
        )
    # dtui's own checks, and the exceptions of pywinrm, requests_ntlm and pyspnego for an answer in which a
    # header, an element or a field is missing or wrong. They document no common base class.
    return UnreadableAnswer(
        message(
            "winrm.unreadable", "the node's answer cannot be read ({error})", error=innermost_reason(error)
        ),
        where=where,
        remedy=message(
            "winrm.unreadable.remedy",
            "check that the address and port are those of the node's own WinRM service, without a proxy "
            "between",
        ),
    )


def as_transport_error(error: Exception, where: str) -> TransportError:
    """Return the error of a channel that ``error`` ended."""
    problem = classify_error(error, where)
    if isinstance(problem, TransportError):
        return problem
    if isinstance(problem, WinRMOperationTimeoutError):
        return ChannelLost(TIMED_OUT, where=where)
    if isinstance(problem, ShellGone):
        return ChannelLost(
            message(
                "winrm.shell-gone", "the shell no longer exists on the node ({error})", error=problem.what
            ),
            where=where,
            remedy=problem.remedy
            or message(
                "winrm.shell-gone.remedy",
                "connect again: the node or its WinRM service was restarted, or the shell was deleted",
            ),
        )
    return ChannelLost(problem.what, where=where)


def status_problem(status: int, where: str, at: Request) -> TransportError:
    """Return the error for an HTTP status of 400 or more without a fault."""
    meaning = http_status(status, at)
    if meaning.effect is Effect.PERMANENT:
        return ServiceRefused(meaning.what, where=where, remedy=meaning.remedy, transient=False)
    return ChannelLost(meaning.what, where=where, remedy=meaning.remedy)


def new_login(where: str) -> ChannelLost:
    """Return the error of a session that was logged in: the login of a new connection was refused."""
    return ChannelLost(message("winrm.new-login", "the node requested a new login"), where=where)


def login_lost(where: str) -> LoginLost:
    """Return the error, with its remedy."""
    return LoginLost(
        message("winrm.login-lost", "the node no longer accepts the login"),
        where=where,
        remedy=message(
            "winrm.login-lost.remedy",
            "check on the node whether the account is locked or its password was changed",
        ),
    )


def _fault(
    error: WSManFaultError, where: str, at: Request
) -> ShellGone | EnvelopeTooLarge | TransportError | WinRMOperationTimeoutError:
    code = error.wsman_fault_code if error.wsman_fault_code is not None else error.wmierror_code
    fault = Fault(
        code,
        (error.fault_subcode or "").rpartition(":")[2].strip(),
        (error.fault_code or "").rpartition(":")[2].strip(),
        quoted(error.reason),
        at,
    )
    meaning = fault.meaning
    what = fault.described(meaning.cause)
    if meaning.effect is Effect.TIMED_OUT:
        return WinRMOperationTimeoutError()
    if meaning.effect is Effect.TOO_LARGE:
        return EnvelopeTooLarge()
    if meaning.effect is Effect.DENIED:
        return AccessDenied(
            message("winrm.access-denied", "the login succeeded, but the account lacks WinRM access"),
            where=where,
            remedy=message(
                "winrm.access-denied.remedy", "use an administrator of the node. {uac}", uac=_LOCAL_ACCOUNT
            ),
        )
    if meaning.effect is Effect.ENDED and at != "config":
        return ShellGone(what, meaning.remedy)
    return ServiceRefused(
        what, where=where, remedy=meaning.remedy, transient=meaning.effect is not Effect.PERMANENT
    )


_LOCAL_ACCOUNT = message(
    "winrm.local-account",
    "Outside a domain, a local administrator other than the built-in one also needs "
    "LocalAccountTokenFilterPolicy=1 (worker_setup.ps1 sets it)",
)
_NO_RETRY = message(
    "winrm.no-retry",
    "dtui does not try a rejected password again, because Windows locks an account after a few failures",
)


def login_refused(user: str, offered: str, where: str) -> AuthenticationFailed:
    """Return the error for a 401 after the password was sent; Windows reports no reason."""
    if "\\" in user or "@" in user:
        remedy = message(
            "winrm.login-refused-domain.remedy",
            "check the user name and the password (not the PIN of Windows Hello); the account must be an "
            "administrator of the node. {no_retry}",
            no_retry=_NO_RETRY,
        )
    else:
        remedy = message(
            "winrm.login-refused-local.remedy",
            "check the user name and the password (not the PIN of Windows Hello); for a domain or Microsoft "
            "account write DOMAIN\\user. {uac}. {no_retry}",
            uac=_LOCAL_ACCOUNT,
            no_retry=_NO_RETRY,
        )
    return AuthenticationFailed(
        message(
            "winrm.login-refused", "the node rejected the login of {user} ({auth})", user=user, auth=offered
        ),
        where=where,
        remedy=remedy,
    )


def no_ticket(error: Exception, where: str) -> AuthenticationFailed:
    """Return the error for a Kerberos login that failed."""
    return AuthenticationFailed(
        message(
            "winrm.no-ticket",
            "Kerberos issued no ticket for the node ({error})",
            error=innermost_reason(error),
        ),
        where=where,
        remedy=message(
            "winrm.no-ticket.remedy",
            "run kinit (or log in to the domain), and set the node's `address` to its full domain name",
        ),
    )


def certificate_problem(error: Exception, where: str) -> CertificateRejected:
    """Return the error for a TLS certificate that was not accepted."""
    text = str(error)
    confirmable, shown = False, True
    if "fingerprint" in text.lower():
        what = message(
            "winrm.certificate-changed",
            "the node's certificate is not the pinned one: it was renewed, or this is a man-in-the-middle "
            "attack",
        )
        remedy = message(
            "winrm.certificate-changed.remedy",
            "compare the certificate's fingerprint on the node before you change the pinned one",
        )
    elif re.search(r"expired|not yet valid", text):
        what = message("winrm.certificate-expired", "the node's certificate is not valid at this time")
        remedy = message(
            "winrm.certificate-expired.remedy",
            "compare the clocks of both machines, or give the node's HTTPS listener a new certificate",
        )
    elif re.search(r"hostname|IP address mismatch|doesn't match", text, re.IGNORECASE):
        confirmable = True
        what = message("winrm.certificate-name", "the node's certificate was issued for another name")
        remedy = message(
            "winrm.certificate-name.remedy",
            "set the node's `address` to the name in the certificate, or pin its fingerprint",
        )
    elif re.search(r"self.signed|issuer|unable to get", text):
        confirmable = True
        what = message("winrm.certificate-untrusted", "the node's certificate is not signed by a trusted CA")
        remedy = message(
            "winrm.certificate-untrusted.remedy",
            "set the option `ca` to the CA's PEM file, or `fingerprint` to the certificate's SHA-256",
        )
    else:
        shown = False
        what = message("winrm.tls", "TLS failed ({error})", error=innermost_reason(error))
        remedy = message(
            "winrm.tls.remedy",
            "check that the port is WinRM's HTTPS listener (winrm enumerate winrm/config/listener)",
        )
    problem = CertificateRejected(what, where=where, remedy=remedy)
    problem.confirmable, problem.shown = confirmable, shown
    return problem


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and what it wraps, the innermost last: requests wraps several times."""
    seen: object = error
    for _ in range(_WRAPPED):
        if not isinstance(seen, BaseException):
            return
        yield seen
        last = seen.args[-1] if seen.args else None
        seen = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__ or last


def _not_http(error: BaseException) -> BaseException | None:
    """Return why an answer is not HTTP, or exceeds the limits of http.client; None for a cut answer."""
    for seen in _chain(error):
        if isinstance(seen, http.client.HTTPException) and not isinstance(seen, _CUT):
            return seen
    return None


def innermost_reason(error: BaseException) -> Message:
    """Return the reason of dtui's own check if one failed, else the innermost reason."""
    for seen in _chain(error):
        what = getattr(seen, "what", None)
        if isinstance(what, Message):
            return what
    if isinstance(seen, OSError) and not isinstance(seen, requests.exceptions.RequestException):
        return system_error(seen)
    if isinstance(seen, StopIteration):
        return message("winrm.element-missing", "an element of the answer is missing")
    return Message(quoted(str(seen)) or type(seen).__name__)
