"""The envelopes of WS-Management: names, parsing of requests, and answers."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "f": "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "cfg": "http://schemas.microsoft.com/wbem/wsman/1/config",
    "wsmid": "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd",
}
SHELL = NAMESPACES["rsp"]
TRANSFER = NAMESPACES["x"]
CMD_RESOURCE = SHELL + "/cmd"
FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
CONTENT_TYPE = "application/soap+xml;charset=UTF-8"

_DECLARATIONS = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
_ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?$")


def tag(name: str) -> str:
    """Expand ``rsp:Stream`` to ElementTree's ``{uri}Stream``."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


@dataclass(frozen=True, slots=True)
class Request:
    """A parsed envelope; ``timeout`` in seconds, ``envelope`` the largest answer in bytes."""

    root: ET.Element
    message_id: str
    action: str
    resource: str
    shell_id: str
    options: dict[str, str]
    timeout: float
    envelope: int

    @property
    def identify(self) -> bool:
        """Whether this is an Identify request."""
        return self.root.find(f".//{tag('wsmid:Identify')}") is not None

    def find(self, name: str) -> ET.Element | None:
        """The first element of that prefixed name anywhere in the body."""
        return self.root.find(f"{tag('s:Body')}//{tag(name)}")

    def command_id(self) -> str:
        """The CommandId that a Send, Receive or Signal is about; empty when there is none."""
        body = self.root.find(tag("s:Body"))
        for element in body.iter() if body is not None else ():
            if found := element.get("CommandId"):
                return found.upper()
        return ""


def parse(raw: bytes) -> Request:
    """Read an envelope; raises ElementTree's ParseError."""
    root = ET.fromstring(raw)

    def text(name: str) -> str:
        return (root.findtext(f".//{tag(name)}") or "").strip()

    selector = root.find(f".//{tag('w:Selector')}[@Name='ShellId']")
    return Request(
        root=root,
        message_id=text("a:MessageID"),
        action=text("a:Action"),
        resource=text("w:ResourceURI"),
        shell_id=((selector.text or "") if selector is not None else "").upper(),
        options={option.get("Name", ""): option.text or "" for option in root.iter(tag("w:Option"))},
        timeout=seconds(text("w:OperationTimeout"), 60.0),
        envelope=int(text("w:MaxEnvelopeSize") or 153_600),
    )


def seconds(duration: str, default: float) -> float:
    """Read an XML duration of hours, minutes and seconds."""
    match = _DURATION.match(duration)
    if not match:
        return default
    hours, minutes, rest = match.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest or 0)


def envelope(action: str, body: str, relates_to: str = "") -> bytes:
    """Write an answer around ``body``, which is XML already."""
    return (
        f'<s:Envelope xml:lang="en-US" {_DECLARATIONS}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{_ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


IDENTIFY = (
    f'<s:Envelope xmlns:s="{NAMESPACES["s"]}" xmlns:wsmid="{NAMESPACES["wsmid"]}"><s:Header/><s:Body>'
    "<wsmid:IdentifyResponse><wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
    "</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
    "<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
    "</wsmid:IdentifyResponse></s:Body></s:Envelope>"
).encode()
