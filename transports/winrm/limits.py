"""Limits on the HTTP answers of a node. Sizes in bytes."""

from __future__ import annotations

#: Status line, headers, interim answers (1xx), chunk sizes and trailers of one answer, together.
#: Windows sends less than 1 KiB.
HEADERS = 64 << 10
#: Body of an answer that refuses or precedes the login. Windows sends an empty one.
LOGIN_BODY = 64 << 10
#: Body of any other answer. dtui asks for envelopes of at most 150 KiB (MaxEnvelopeSize in each request), and
#: Windows' own limit is 500 KiB by default; sealing adds about 300 bytes.
BODY = 640 << 10

#: Nesting of an XML document. The deepest answer of Windows (winrm/config) has 10 levels.
XML_DEPTH = 64
#: Elements and attributes of an XML document, together. winrm/config has about 150.
XML_NODES = 10_000
