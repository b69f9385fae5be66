"""The faults that Windows answers with, by the code that clients check."""

from __future__ import annotations

from xml.sax.saxutils import escape

_WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"


class Fault(Exception):
    """A request that fails with a WS-Management fault.

    ``code`` is the WSManFault's, or with ``wmi`` the MSFT_WmiError's; None leaves out the detail. ``name`` is
    the SOAP code.
    """

    def __init__(
        self,
        code: int | None,
        subcode: str,
        reason: str,
        status: int = 500,
        *,
        name: str = "s:Receiver",
        wmi: bool = False,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode
        self.reason = reason
        self.status = status
        self.name = name
        self.wmi = wmi

    def body(self) -> str:
        """The fault as the XML of an answer's body."""
        reason = escape(self.reason)
        subcode = f"<s:Subcode><s:Value>{self.subcode}</s:Value></s:Subcode>" if self.subcode else ""
        detail = ""
        if self.code is not None and self.wmi:
            code = f"<m:error_Code>{self.code}</m:error_Code>"
            detail = f'<m:MSFT_WmiError xmlns:m="{_WMI_ERROR}">{code}</m:MSFT_WmiError>'
        elif self.code is not None:
            detail = (
                f'<f:WSManFault Code="{self.code}" Machine="localhost"><f:Message>{reason}</f:Message>'
                "</f:WSManFault>"
            )
        return (
            f"<s:Fault><s:Code><s:Value>{self.name}</s:Value>{subcode}</s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">{reason}</s:Text></s:Reason>'
            f"<s:Detail>{detail}</s:Detail></s:Fault>"
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


def too_many_shells(most: int = 30) -> Fault:
    """MaxShellsPerUser is reached."""
    return Fault(
        2150859173,
        "w:InternalError",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of "
        f"{most} concurrent shells, which has been exceeded. Close existing shells or raise the quota for "
        "this user.",
    )


def too_many_processes() -> Fault:
    """MaxProcessesPerShell is reached."""
    return Fault(
        2150859241,
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. The maximum number of commands of this shell "
        "has been exceeded.",
    )


def remote_shells_off() -> Fault:
    """AllowRemoteShellAccess is false."""
    return Fault(
        5,
        "w:AccessDenied",
        "The WS-Management service is not configured to accept any remote shell requests.",
        name="s:Sender",
    )


def no_resource(uri: str) -> Fault:
    """No plug-in serves the resource, such as the endpoints of PowerShell."""
    return Fault(
        2150858752,
        "a:DestinationUnreachable",
        f"The WS-Management service cannot process the request. The resource URI ({uri}) was not found in "
        "the WS-Management catalog.",
        name="s:Sender",
    )


def envelope_too_large() -> Fault:
    """The request is over MaxEnvelopeSizekb."""
    return Fault(
        2150858824,
        "w:EncodingLimit",
        "The WS-Management service cannot process the request because the request size exceeded the "
        "configured MaxEnvelopeSize quota.",
        413,
    )


def access_denied() -> Fault:
    """The account is valid but must not use the service (not an administrator, or a filtered token)."""
    return Fault(5, "w:AccessDenied", "Access is denied.", name="s:Sender")


def unsupported(action: str) -> Fault:
    """The action is none of the shell's."""
    return Fault(
        2150858753,
        "a:ActionNotSupported",
        f"The action is not supported by the service: {action}",
        name="s:Sender",
    )
