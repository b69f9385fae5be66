"""XML from a node: checked before anything builds a tree of it."""

from __future__ import annotations

from xml.parsers import expat

from agent.wire.message import Message, message
from transports.quoting import quoted
from transports.winrm import limits
from transports.winrm.violation import protocol_violation


class MalformedAnswer(ValueError):
    """An answer that cannot be read: cut, sealed for another login, or not XML."""

    def __init__(self, what: Message) -> None:
        super().__init__(what)
        self.what = what


def check_document(document: bytes, where: str) -> bytes:
    """Return ``document`` when it is UTF-8 XML that is safe to parse.

    Raises ProtocolViolation for a document type declaration (with it go entities, internal and external),
    for nesting deeper than XML_DEPTH and for more than XML_NODES elements and attributes, and
    MalformedAnswer for what is not well-formed.
    """
    depth = nodes = 0

    def start(name: str, attributes: list[str]) -> None:
        nonlocal depth
        depth += 1
        if depth > limits.XML_DEPTH:
            problem = message(
                "winrm.xml-depth",
                "the node answered with XML of more than {count} levels",
                count=limits.XML_DEPTH,
            )
            raise protocol_violation(problem, where)
        count(1 + len(attributes) // 2)

    def count(more: int) -> None:
        nonlocal nodes
        nodes += more
        if nodes > limits.XML_NODES:
            problem = message(
                "winrm.xml-size",
                "the node answered with XML of more than {count} elements and attributes",
                count=limits.XML_NODES,
            )
            raise protocol_violation(problem, where)

    def declaration(*_: object) -> None:
        # With prefixes resolved, declarations are no longer among the attributes.
        count(1)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*declaration: object) -> None:
        problem = message(
            "winrm.xml-doctype",
            "the node answered with XML that declares a document type, and so perhaps entities",
        )
        raise protocol_violation(problem, where)

    def encoding(version: str, name: str | None, standalone: int) -> None:
        # The check must read the same characters as the parser behind it.
        if name and name.lower() not in ("utf-8", "us-ascii"):
            problem = message(
                "winrm.xml-encoding",
                "the node answered with XML in the encoding {name}",
                name=quoted(name),
            )
            raise protocol_violation(problem, where)

    try:
        document.decode("utf-8")  # a byte order mark would make the parser read UTF-16
    except UnicodeDecodeError as error:
        raise MalformedAnswer(message("winrm.not-utf8", "the answer is not in UTF-8")) from error
    # The parsers behind the check resolve prefixes. They fail on one that is not declared, and ElementTree
    # fails on a namespace that contains its separator.
    parser = expat.ParserCreate("utf-8", "}")
    parser.ordered_attributes = True
    parser.StartElementHandler = start
    parser.StartNamespaceDeclHandler = declaration
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.XmlDeclHandler = encoding
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        problem = message("winrm.not-xml", "the answer is not well-formed XML: {error}", error=str(error))
        raise MalformedAnswer(problem) from error
    return document
