"""Errors on a node, with texts for the user."""

from __future__ import annotations

from agent.wire.frames import Fail
from agent.wire.message import EMPTY, Message, from_data, message


class FleetError(Exception):
    """Something failed: ``what`` happened, on which ``node`` (empty for the master), and the ``remedy``.

    ``transient`` means that a retry without a change can help. ``str()`` is all of it in English, for
    logs: a text for the user is made of the parts, so that they can be translated.
    """

    transient = False

    def __init__(self, what: Message, *, node: str = "", remedy: Message = EMPTY) -> None:
        super().__init__(what)
        self.what = what
        self.node = node
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.node}: {self.what}" if self.node else self.what
        return f"{text}. {self.remedy}" if self.remedy else text


class NotConnected(FleetError):
    """The node can't be reached, or refuses the login."""

    def __init__(
        self, what: Message, *, node: str = "", remedy: Message = EMPTY, transient: bool = False
    ) -> None:
        super().__init__(what, node=node, remedy=remedy)
        self.transient = transient


class NoAgent(FleetError):
    """The login works, but the node's agent could not be started (without Python, for example)."""


class LinkLost(FleetError):
    """The connection to the node's agent failed; active requests have no answer."""

    transient = True


class OperationFailed(FleetError):
    """The node's agent answered that it can't do it; ``code`` names the reason for programs."""

    def __init__(self, code: str, what: Message, *, node: str = "", remedy: Message = EMPTY) -> None:
        super().__init__(what, node=node, remedy=remedy)
        self.code = code

    @classmethod
    def from_fail(cls, fail: Fail, *, node: str) -> OperationFailed:
        """Return the error that the agent's ``fail`` frame describes."""
        return cls(fail.code, from_data(fail.message), node=node, remedy=from_data(fail.remedy))


class InvalidAnswer(OperationFailed):
    """The node's agent sent something that its operation does not send."""

    def __init__(self, operation: str, what: Message, *, node: str) -> None:
        super().__init__(
            "invalid-answer",
            message(
                "link.invalid-answer",
                "the agent's answer to `{operation}` is not valid ({fault})",
                operation=operation,
                fault=what,
            ),
            node=node,
            remedy=message(
                "link.invalid-answer.remedy",
                "check the node before you use it: it may be damaged or compromised",
            ),
        )
