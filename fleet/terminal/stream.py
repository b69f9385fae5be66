"""A stream of bytes as lines, in bounded memory, however long a line or an escape sequence is."""

from __future__ import annotations

import re

#: Bytes of a line without an end that are held before it is cut.
LONGEST_LINE = 1 << 16

#: Bytes of a CSI sequence that are continued; no program sends a longer one.
_LONGEST_CSI = 64
#: The introducer of a sequence that is still open at the end of a piece.
_OPEN = re.compile(
    rb"(\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])|(\x1b(?:\[[0-?]*)?[ -/]*|\xc2\x9b[0-?]*[ -/]*)\Z"
)
#: What ends a string. ESC does too: it starts the next sequence.
_ENDS = (b"\x07", b"\x18", b"\x1a", b"\xc2\x9c")


def open_sequence(piece: bytes) -> bytes:
    """Return the bytes that a continuation of ``piece`` needs before it to be read as ``piece`` left off.

    They are empty unless the piece ends within an escape sequence. A string such as an OSC is continued by
    its introducer alone, so a string that never ends costs no memory.
    """
    # Only after the last terminator can a sequence be open.
    start = max(0, piece.rfind(b"\x1b"), *map(piece.rfind, _ENDS))
    found = _OPEN.search(piece, start)
    if found is None:
        return b""
    return found.group(1) or found.group(2)[:_LONGEST_CSI]


class LineStream:
    """Cuts a stream into lines without their line feeds; a line over ``longest`` bytes is cut into pieces.

    Of a progress bar that redraws an endless line only the last state is held.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes."""
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > self._longest:
            self._held = last_state(self._held, self._longest)
        while len(self._held) > self._longest:
            end = cut_before(self._held, self._longest)
            piece = self._held[:end]
            lines.append(piece)
            self._held = open_sequence(piece) + self._held[end:]
        return lines

    @property
    def unfinished(self) -> bytes:
        """The unfinished line."""
        return self._held

    def rest(self) -> bytes:
        """Return the unfinished line and forget it."""
        rest, self._held = self._held, b""
        return rest


def cut_before(line: bytes, end: int) -> int:
    """Return ``end``, or up to 3 less, so that the cut is not within a UTF-8 character."""
    for at in range(end, max(0, end - 4), -1):
        if at == len(line) or line[at] & 0xC0 != 0x80:
            return at
    return end


def last_state(line: bytes, longest: int) -> bytes:
    """Return what follows the last carriage return, if that is short enough; else the whole line."""
    at = line.rfind(b"\r", 0, -1)
    return line[at + 1 :] if at > 0 and len(line) - at <= longest else line
