"""The one renderer of external text: what a terminal may be sent of a log line, an error, a name or a path.

Everything that another machine, another program or a file supplied passes :func:`one_line`, :func:`block`
or :func:`render_line` before it reaches a terminal, a pipe or a text file. The renderer interprets carriage
return, backspace, tab, erase-line and SGR colour as a terminal does, and drops every other control character.
"""

from fleet.terminal.decode import decode
from fleet.terminal.line import Rendered, render_bytes, render_line
from fleet.terminal.stream import LONGEST_LINE, LineStream, cut_before, last_state, open_sequence
from fleet.terminal.text import BLOCK_LIMIT, LINE_LIMIT, SafeText, block, one_line, spelled_out

__all__ = [
    "BLOCK_LIMIT",
    "LINE_LIMIT",
    "LONGEST_LINE",
    "LineStream",
    "Rendered",
    "SafeText",
    "block",
    "cut_before",
    "decode",
    "last_state",
    "one_line",
    "open_sequence",
    "render_bytes",
    "render_line",
    "spelled_out",
]
