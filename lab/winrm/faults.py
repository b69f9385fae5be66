"""The faults that Windows answers with, by the code that clients check."""

from __future__ import annotations

from xml.sax.saxutils import escape


class Fault(Exception):
    """A request that fails with a WS-Management fault; ``code`` is the WSManFault's."""

    def __init__(self, code: int, subcode: str, reason: str, status: int = 500) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode
        self.reason = reason
        self.status = status

    def body(self) -> str:
        """The fault as the XML of an answer's body."""
        reason = escape(self.reason)
        return (
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode>"
            f"<s:Value>{self.subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>'
            f'<f:WSManFault Code="{self.code}" Machine="localhost"><f:Message>{reason}</f:Message>'
            "</f:WSManFault></s:Detail></s:Fault>"
        )


def timed_out() -> Fault:
    """Nothing happened within OperationTimeout; the client is expected to ask again."""
    return Fault(
        2150858793,
        "w:TimedOut",
        "The WS-Management service cannot complete the operation within the time specified in "
        "OperationTimeout.",
    )


def no_shell() -> Fault:
    """The ShellId is unknown: deleted, timed out, or of a service that was restarted."""
    return Fault(
        2150858843,
        "w:InvalidSelectors",
        "The request for the Windows Remote Shell failed because the shell was not found on the server. "
        "The specified ShellId is incorrect, or the shell no longer exists on the server.",
    )


def bad_state() -> Fault:
    """Input for a command whose stdin is closed."""
    return Fault(
        2150858842,
        "w:InternalError",
        "The Windows Remote Shell cannot process the request; the command is not in a valid state.",
    )


def too_many_shells() -> Fault:
    """MaxShellsPerUser is reached."""
    return Fault(
        2150859173,
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of "
        "concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user.",
    )


def envelope_too_large() -> Fault:
    """The request is over MaxEnvelopeSizekb."""
    return Fault(
        2150858906,
        "w:EncodingLimit",
        "The WS-Management service cannot process the request because the request size exceeded the "
        "configured MaxEnvelopeSize quota.",
        413,
    )


def access_denied() -> Fault:
    """The account is valid but must not use the service (not an administrator, or a filtered token)."""
    return Fault(5, "w:AccessDenied", "Access is denied.")


def unsupported(action: str) -> Fault:
    """The action is none of the shell's."""
    return Fault(2150858752, "a:ActionNotSupported", f"The action is not supported by the service: {action}")
