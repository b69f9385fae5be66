"""What pywinrm and requests raise, sorted by what it means for a session, and said for a person."""

from __future__ import annotations

import re
import socket

import requests
from spnego.exceptions import SpnegoError
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMError,
    WinRMTransportError,
    WSManFaultError,
)

from transports.errors import (
    AuthenticationFailed,
    CertificateRejected,
    ChannelLost,
    CommandNotStarted,
    TransportError,
    Unreachable,
)

#: The shell or command does not exist (any more).
_GONE = (2150858843, 2150858842, 995, 2147943395)
_DENIED = (5, 2147942405)
_HTTP = "winrm or the machine may be restarting; look at the node's WinRM service (Get-Service WinRM)"


class ShellGone(Exception):
    """The node does not know the shell or the command; trying again can't help."""


class EnvelopeTooLarge(Exception):
    """The request is over the node's MaxEnvelopeSizekb."""


def sort_out(error: Exception, where: str) -> Exception:
    """Return what ``error`` means: ShellGone, EnvelopeTooLarge or a TransportError, perhaps transient."""
    if isinstance(error, (TransportError, ShellGone, EnvelopeTooLarge)):
        return error
    if isinstance(error, WSManFaultError):
        return _fault(error, where)
    if isinstance(error, InvalidCredentialsError):
        # In a session that was logged in: the connection was new, and its login did not come through.
        return ChannelLost("the node asked for a new login", where=where)
    if isinstance(error, WinRMTransportError):
        if error.code == 413:
            return EnvelopeTooLarge()
        return ChannelLost(f"the node answered with HTTP status {error.code}", where=where, remedy=_HTTP)
    if isinstance(error, requests.exceptions.SSLError):
        return certificate_problem(error, where)
    if isinstance(error, requests.exceptions.Timeout):
        return Unreachable("no answer in time", where=where)
    if isinstance(error, (requests.exceptions.RequestException, OSError, SpnegoError, WinRMError)):
        return ChannelLost(f"the connection broke ({_short(error)})", where=where)
    if isinstance(error, (ValueError, KeyError, AttributeError, StopIteration, PermissionError)):
        # pywinrm's ways of saying that an answer is none: cut XML, a foreign seal, a missing header.
        return ChannelLost(f"the node's answer makes no sense ({_short(error)})", where=where)
    return error


def _fault(error: WSManFaultError, where: str) -> Exception:
    code, subcode = error.wsman_fault_code, error.fault_subcode or ""
    reason = " ".join(error.reason.split())
    if code in _DENIED or subcode.endswith("AccessDenied"):
        return AuthenticationFailed(
            "the account may log in and may not use WinRM (access is denied)",
            where=where,
            remedy=f"use an administrator of the node. {UAC_HINT}",
        )
    if subcode.endswith("EncodingLimit") or "MaxEnvelopeSize" in reason:
        return EnvelopeTooLarge()
    if subcode.endswith("QuotaLimit"):
        return CommandNotStarted(
            f"a quota of the node's WinRM is used up: {reason}",
            where=where,
            remedy="end other WinRM sessions of this user there, or raise the quota "
            '(winrm set winrm/config/winrs @{MaxShellsPerUser="30"})',
        )
    if code in _GONE or subcode.endswith("InvalidSelectors"):
        return ShellGone(reason)
    return ChannelLost(f"WinRM answered with fault {code}: {reason}", where=where)


UAC_HINT = (
    "Outside a domain, a local administrator other than the built-in one also needs "
    "LocalAccountTokenFilterPolicy=1 (worker_setup.ps1 sets it)"
)


def login_refused(user: str, offered: str, where: str) -> AuthenticationFailed:
    """Explain a 401 after the password was sent, which Windows never explains."""
    local = "\\" not in user and "@" not in user
    hints = ["check the user name and the password (the password, not the PIN of Windows Hello)"]
    if local:
        hints.append(f"for a domain or Microsoft account write DOMAIN\\user. {UAC_HINT}")
    else:
        hints.append("the account must be an administrator of the node")
    hints.append(
        "dtui does not try a rejected password again, since Windows locks an account after a few failures"
    )
    return AuthenticationFailed(
        f"the node rejected the login of {user} ({offered})", where=where, remedy="; ".join(hints)
    )


def no_ticket(error: Exception, where: str) -> AuthenticationFailed:
    """Explain why Kerberos could not log in."""
    return AuthenticationFailed(
        f"Kerberos gave no ticket for the node ({_short(error)})",
        where=where,
        remedy="run kinit (or log in to the domain), and write the node's full domain name as its address",
    )


def certificate_problem(error: Exception, where: str) -> CertificateRejected:
    """Explain why the node's TLS certificate was not accepted."""
    text = str(error)
    confirmable = False
    if "fingerprint" in text.lower():
        what = "the node's certificate is not the pinned one: a new certificate, or somebody in between"
        remedy = "compare the certificate's fingerprint on the node before you change the pinned one"
    elif re.search(r"expired|not yet valid", text):
        what = "the node's certificate is not valid at this time"
        remedy = "compare the clocks of both machines, or give the node's HTTPS listener a new certificate"
    elif re.search(r"hostname|IP address mismatch|doesn't match", text, re.IGNORECASE):
        confirmable = True
        what = "the node's certificate was made for another name"
        remedy = "use the name in the certificate as the node's address, or pin its fingerprint"
    elif re.search(r"self.signed|issuer|unable to get", text):
        confirmable = True
        what = "the node's certificate is signed by nobody that this machine trusts"
        remedy = "set the option `ca` to its PEM file, or `fingerprint` to its SHA-256"
    else:
        what = f"TLS failed ({_short(error)})"
        remedy = "check that the port is WinRM's HTTPS listener (winrm enumerate winrm/config/listener)"
    problem = CertificateRejected(what, where=where, remedy=remedy)
    problem.confirmable = confirmable
    return problem


def _short(error: BaseException) -> str:
    """Name the innermost reason: requests wraps several times around it."""
    seen = error
    while True:
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__
        if inner is None and seen.args and isinstance(seen.args[-1], BaseException):
            inner = seen.args[-1]
        if not isinstance(inner, BaseException):
            break
        seen = inner
    if isinstance(seen, socket.timeout):
        return "no answer in time"
    return " ".join(str(seen).split())[:200] or type(seen).__name__
