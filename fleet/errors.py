"""What can go wrong on a node, said for a person."""

from __future__ import annotations


class FleetError(Exception):
    """Something failed: ``what`` happened, on which ``node`` (empty for the master), and the ``remedy``.

    ``transient`` tells whether trying again without a change can help.
    """

    transient = False

    def __init__(self, what: str, *, node: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.node = node
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.node}: {self.what}" if self.node else self.what
        return f"{text}. {self.remedy}" if self.remedy else text


class NotConnected(FleetError):
    """The node can't be reached, or does not let us in."""

    def __init__(self, what: str, *, node: str = "", remedy: str = "", transient: bool = False) -> None:
        super().__init__(what, node=node, remedy=remedy)
        self.transient = transient


class NoAgent(FleetError):
    """The node lets us in, but its agent could not be started (no Python, say)."""


class LinkLost(FleetError):
    """The connection to the node's agent broke; what was under way has no answer."""

    transient = True


class OperationFailed(FleetError):
    """The node's agent answered that it can't do it; ``code`` names the reason for programs."""

    def __init__(self, code: str, what: str, *, node: str = "", remedy: str = "") -> None:
        super().__init__(what, node=node, remedy=remedy)
        self.code = code
