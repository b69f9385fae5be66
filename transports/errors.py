"""Errors between the console and a node, with texts for the user."""

from __future__ import annotations

from agent.wire.message import EMPTY, Message, message

PROCESS_ENDED = message("process.ended", "the process has ended")


class TransportError(Exception):
    """A node can't be reached or used through this transport.

    ``what`` is the problem, ``where`` the endpoint (``user@host:port``), ``remedy`` the next step.
    ``transient`` is True if a retry without a change can succeed.
    """

    transient = False

    def __init__(self, what: Message, *, where: str = "", remedy: Message = EMPTY) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else str(self.what)
        return f"{text}. {self.remedy}" if self.remedy else text


class Unreachable(TransportError):
    """No answer from the address: name not resolved, no route, or a timeout."""

    transient = True


class Unresolved(Unreachable):
    """The name has no address."""


class Refused(Unreachable):
    """The address answered, and no program listens on the port."""


class SlowLogin(TransportError):
    """The node's service answered, and the login did not end within its limit."""

    transient = True


class AuthenticationFailed(TransportError):
    """The node does not accept any of the offered keys or the password."""


class HostKeyUnknown(TransportError):
    """The host's key is not recorded, and the user has not confirmed its fingerprint."""


class HostKeyChanged(TransportError):
    """The host's key differs from the recorded one: a reinstalled machine, or a man-in-the-middle attack."""


class ChannelLost(TransportError):
    """The connection broke while a channel was in use."""

    transient = True


class CommandNotStarted(TransportError):
    """The login succeeded, but the node could not start the command."""


class ServiceRefused(TransportError):
    """The login succeeded, but the node's service answered a request with a fault."""

    def __init__(self, what: Message, *, where: str = "", remedy: Message = EMPTY, transient: bool) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.transient = transient


class CertificateRejected(TransportError):
    """The node's TLS certificate is expired, foreign, unknown or not the pinned one."""

    #: Whether the user may trust the certificate after comparing its fingerprint.
    confirmable = False
    #: Whether the node presented a certificate; otherwise its service does not use TLS.
    shown = True


class ProtocolViolation(TransportError):
    """The node sent data that the protocol does not allow, or more than dtui accepts.

    Not transient: a correct service does not do this, so the request is not repeated.
    """


def no_answer(seconds: float) -> Message:
    """Return the reason for a node that did not answer in time."""
    return message("transport.no-answer", "no answer within {seconds:.0f} s", seconds=seconds)
