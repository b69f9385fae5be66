"""What can go wrong between the console and a node, said for a person."""

from __future__ import annotations


class TransportError(Exception):
    """A node can't be reached or used through this transport.

    ``what`` says what happened, ``where`` names the endpoint (``user@host:port``), ``remedy`` says
    what to do next. ``transient`` tells whether trying again without a change can help.
    """

    transient = False

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.remedy}" if self.remedy else text


class Unreachable(TransportError):
    """No answer from the address: name not resolved, no route, or a timeout."""

    transient = True


class Unresolved(Unreachable):
    """The name has no address, so that no way leads to the node."""


class Refused(Unreachable):
    """The address answered, and nothing listens on the port."""


class AuthenticationFailed(TransportError):
    """The node does not accept any of the offered keys or the password."""


class HostKeyUnknown(TransportError):
    """The host's key is not known yet and nobody confirmed its fingerprint."""


class HostKeyChanged(TransportError):
    """The host's key differs from the recorded one: a reinstalled machine, or somebody in between."""


class ChannelLost(TransportError):
    """The connection broke while a channel was in use."""

    transient = True


class CommandNotStarted(TransportError):
    """The node let us in but could not start the command."""


class CertificateRejected(TransportError):
    """The node's TLS certificate is expired, foreign, unknown or not the pinned one."""

    #: Whether a person who compares the fingerprint may trust it nevertheless.
    confirmable = False
