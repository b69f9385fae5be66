"""Why an interpreter ended before the agent answered, by what it or the shell printed.

Exit statuses are a hint only: PowerShell makes 1 of each, and cmd.exe ends with 1 or 9009 for the same thing.
The text can be in any language and in the node's code page.
"""

from __future__ import annotations

import re

from agent.wire.message import Message, message

#: Characters of a program's output that are shown.
_SHOWN = 300
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: The launcher `py` without a Python that it could start. It prints English everywhere, and names the Store.
_LAUNCHER = re.compile(
    r"No suitable Python runtime|Requested Python version|Python \S+ not found!|No runtimes? (?:is|are|were)|"
    r"No installed Pythons? found|PYLAUNCHER_|py install default",
    re.IGNORECASE,
)
#: Of shells in English, and the identifier that PowerShell prints in each language.
_MISSING = re.compile(
    r"not found|not recognized|No such file|Unknown command|CommandNotFoundException", re.IGNORECASE
)
#: What the system's loader prints about a program that is there.
_BROKEN = re.compile(
    r"shared librar|Permission denied|cannot execute|Exec format|Traceback|GLIBC|UnauthorizedAccess"
)
#: Of POSIX shells; of the Store's placeholder and cmd.exe; of Wine's cmd.exe.
_MISSING_STATUSES = (127, 9009, 49)
#: Shells of all languages put the unknown word between quotes, which Python does not.
_QUOTES = "['\"\u2018\u201a\u201c\u201e\u00ab\u00bb\u300c\u300e]"
_END_QUOTES = "['\"\u2019\u2018\u201d\u201c\u00bb\u00ab\u300d\u300f]"
_LONGEST_REFUSAL = 400
#: The first bytes of signs and Hangul in KS X 1001; Chinese needs the ones after them.
_HANGUL = range(0xA1, 0xC9)


def ended_early(interpreter: tuple[str, ...], status: int | None, stdout: bytes, stderr: bytes) -> Message:
    """Return why the interpreter ended; ``status`` is None if the node reported none."""
    text = " ".join(_COLOURS.sub("", f"{decoded(stdout)}\n{decoded(stderr)}").split())
    if _LAUNCHER.search(text):
        return message(
            "link.launcher-without-python", "the launcher py is installed, and no Python that it can start"
        )
    if "Microsoft Store" in text or "Python was not found" in text:
        return message("link.python-store", "it is the Microsoft Store's placeholder, not Python")
    if not _BROKEN.search(text) and (
        status in _MISSING_STATUSES or _MISSING.search(text) or _refuses(text, interpreter[0])
    ):
        return message("link.python-missing", "not installed, or not on the PATH")
    if "has no attribute 'buffer'" in text or 'no attribute "buffer"' in text:
        return too_old("2")
    if status is None:
        ended = message("link.interpreter-ended", "it ended without an exit status")
    else:
        ended = message("link.interpreter-exited", "it ended with status {status}", status=status)
    if not text:
        return message("link.no-output", "{ended}, without output", ended=ended)
    return with_output(ended, text)


def _refuses(text: str, program: str) -> bool:
    named = re.search(f"{_QUOTES}\\s?{re.escape(program)}\\s?{_END_QUOTES}", text)
    return named is not None and len(text) <= _LONGEST_REFUSAL


def too_old(version: str) -> Message:
    """Return the reason for a Python that the agent does not run on."""
    return message(
        "link.python-too-old", "it is Python {version}, and 3.9 or newer is needed", version=version
    )


def with_output(ended: Message, output: str) -> Message:
    """Return how a program ended, with the end of its output."""
    return message("link.output", "{ended}, output: {output!r}", ended=ended, output=output[-_SHOWN:])


def decoded(data: bytes) -> str:
    """Return the text of a program on a node, which is UTF-8 or in the code page of a Windows."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if _is_korean(data):
        return data.decode("cp949", "replace")
    try:
        japanese = data.decode("cp932")
        if re.search("[\u3041-\u30ff]", japanese):
            return japanese
        return data.decode("gb18030") if _pairs(data) else data.decode("cp850")
    except UnicodeDecodeError:
        # Windows' own programs write to a pipe in the OEM code page; 850 is that of western Europe.
        return data.decode("cp850")


def _is_korean(data: bytes) -> bool:
    first = [pair[0] for pair in re.findall(rb"[\xa1-\xfe][\xa1-\xfe]", data)]
    return _pairs(data) and all(byte in _HANGUL for byte in first)


def _pairs(data: bytes) -> bool:
    """Whether all bytes beyond ASCII come in pairs, as in the Korean and Chinese national encodings."""
    return not re.search(rb"[\x80-\xff]", re.sub(rb"[\xa1-\xfe][\xa1-\xfe]", b"", data))
