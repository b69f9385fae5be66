"""The exceptions that a program's output shows: their chain, their frames, and the one that ended it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from fleet.diagnose.output import Line, lines_of

_TRACEBACK = "Traceback (most recent call last)"
_FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.+))?')
_BOX_FRAME = re.compile(r"^(?P<file>\S[^:]*(?::\\[^:]*)?):(?P<line>\d+) in (?P<function>\S+)")
_NAME = (
    r"(?P<type>(?:[A-Za-z_]\w*\.)*(?:Exception|OutOfResources|BadZipFile|BadGzipFile|"
    r"(?<=\.)(?:gaierror|herror|timeout|error)|"
    r"[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Timeout|Failure|"
    r"Failed|Missing|NotFound|Refused|Killed|Aborted|Unavailable|Mismatch)))"
)
#: The last line of a traceback, and of one whose beginning is not in the output.
_LAST = re.compile(r"^(?P<type>(?:[A-Za-z_<][\w<>]*\.)*[A-Za-z_]\w*)(?:: (?P<text>.*)|:?$)")
_BARE = re.compile(rf"^{_NAME}(?:: (?P<text>.*)|:?$)")
#: A logger's or a test's line about an error that ended the program.
_LOGGED = re.compile(
    r"^(?:.*?\b(?:ERROR|CRITICAL|FATAL|Error executing job|exception|failed)\b[^A-Za-z]*(?:[\w.]+ ?[:|-] )?|"
    rf"E  +|[>*!] )(?=[a-zA-Z_.]*(?:Error|Exception)\b){_NAME}: (?P<text>.+)"
)
#: What C++ prints about an exception that nobody caught.
_NATIVE = re.compile(
    r"^\s*what\(\): +(?P<what>.+)|terminated with exception: (?P<watchdog>.+)|"
    r"^(?P<fatal>Fatal Python error: .+)|^(?P<panic>thread '.*' panicked at .+)"
)
_HANDLING = "During handling of the above exception, another exception occurred"
_DIRECT = "The above exception was the direct cause of the following exception"
#: Tracebacks that end nothing: of destructors, loggers and exit hooks.
_IGNORED = re.compile(r"^(?:Exception ignored in|--- Logging error|Error in atexit|Error in sys\.excepthook)")
#: They only say that another process failed.
_LAUNCHERS = re.compile(
    r"(?:ChildFailedError|CalledProcessError|ProcessRaisedException|ProcessExitedException|SignalException|"
    r"SystemExit|ExceptionGroup|BaseExceptionGroup|RayTaskError(?:\(\w+\))?|WorkerCrashedError|"
    r"HydraException|SubprocessError|MPIRunFailed)$"
)
_LIBRARY = re.compile(r"[\\/](?:site|dist)-packages[\\/]|[\\/]lib[\\/]python3|<frozen |[\\/]Lib[\\/](?!site)")
#: Lines of a message that are kept.
_MOST = 60
#: A line of a log that follows a traceback: it is no part of the exception's message.
_NEXT = re.compile(
    r"^(?:\[[WIEF]\d*\b|\[?\d{4}-\d\d-\d\d|(?:INFO|WARNING|ERROR|DEBUG)\b|wandb: |[WIE]\d{4} )"
)


class Frame(Struct, frozen=True):
    """A call of a traceback."""

    file: str
    line: int
    function: str = ""

    @property
    def own(self) -> bool:
        """Whether it is the program's own code, and not an installed package's."""
        return not _LIBRARY.search(self.file)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Raised(Struct, frozen=True):
    """An exception: its class, the lines of its message (the first is ``Class: text``), and its frames."""

    type: str
    lines: tuple[str, ...]
    frames: tuple[Frame, ...] = ()
    lane: str = ""
    #: The index of its last line in the output.
    at: int = 0
    #: It came while the exception before it was handled, or because of it.
    chained: bool = False
    #: Only a line that names it, without a traceback.
    bare: bool = False

    @property
    def name(self) -> str:
        """The class without its module."""
        return self.type.rpartition(".")[2]

    @property
    def launcher(self) -> bool:
        """Whether it only says that another process failed."""
        return _LAUNCHERS.search(self.type) is not None

    @property
    def place(self) -> Frame | None:
        """The program's own innermost frame, else the innermost one."""
        own = [frame for frame in self.frames if frame.own]
        return own[-1] if own else self.frames[-1] if self.frames else None


def exception_of(text: str) -> str:
    """Return the exception that ended the program, ``ValueError: no such column``; empty without one."""
    chain = ending(raised_in(lines_of(text)))
    return chain[0].lines[0] if chain and not chain[0].bare else ""


def raised_in(lines: Sequence[Line]) -> list[Raised]:
    """Return every exception that the output shows, in its order."""
    lanes: dict[str, _Lane] = {}
    found: list[Raised] = []
    for number, line in enumerate(lines):
        lane = lanes.get(line.lane)
        if lane is None:
            lane = lanes[line.lane] = _Lane(line.lane, found)
        lane.add(number, line)
    for lane in lanes.values():
        lane.close()
    if not found:
        for number, line in enumerate(lines):
            if (match := _LOGGED.match(line.text)) is not None:
                text = f"{match['type']}: {match['text']}"
                found.append(Raised(match["type"], (text,), lane=line.lane, at=number, bare=True))
    found.sort(key=lambda one: one.at)
    return found


def ending(found: Sequence[Raised]) -> list[Raised]:
    """Return the exception that ended the program, the outermost first, then those that it came from."""
    chains: dict[str, list[list[Raised]]] = {}
    for one in found:
        own = chains.setdefault(one.lane, [])
        if one.chained and own:
            own[-1].insert(0, one)
        else:
            own.append([one])
    # Lines that carry a rank are its own; the others are the launcher's.
    named = [lane for lane in chains if lane and any(not chain[0].launcher for chain in chains[lane])]
    last = [_last(chains[lane]) for lane in named or chains]
    return min((chain for chain in last if chain), key=lambda chain: chain[0].at, default=[])


def endings(found: Sequence[Raised]) -> list[list[Raised]]:
    """Return the ending of each rank whose lines are in this output, the earliest first."""
    lanes = list(dict.fromkeys(one.lane for one in found if one.lane))
    each = [ending([one for one in found if one.lane == lane]) for lane in lanes]
    several = sorted((chain for chain in each if chain and not chain[0].launcher), key=lambda c: c[0].at)
    return several or [chain for chain in (ending(found),) if chain]


def _last(chains: Sequence[list[Raised]]) -> list[Raised]:
    for chain in reversed(chains):
        kept = [one for one in chain if not one.launcher]
        if kept:
            return kept
    return chains[-1] if chains else []


class _Lane:
    """Reads the tracebacks of one rank's lines."""

    def __init__(self, name: str, found: list[Raised]) -> None:
        self._name = name
        self._found = found
        self._frames: list[Frame] = []
        self._inside = self._ignored = self._chained = False
        self._indent = 0
        self._message: list[str] = []
        self._type = ""
        self._at = 0
        self._bare = False
        self._blank = False
        self._boxed = False

    def add(self, number: int, line: Line) -> None:
        text = line.text
        start = text.find(_TRACEBACK)
        if start >= 0:
            self.close()
            self._inside, self._frames, self._boxed = True, [], line.boxed
            # Behind a progress bar or a logger's prefix only the first line is shifted.
            self._indent = len(text) - len(text.lstrip()) if not text[:start].strip() else 0
            return
        if self._inside:
            self._in_traceback(number, line)
            return
        if self._message and self._continues(text):
            self._message.append(text)
            return
        self.close()
        if _IGNORED.match(text):
            self._ignored = True
        elif text.startswith((_HANDLING, _DIRECT)):
            self._chained = bool(self._found)
        elif (match := _NATIVE.search(text)) is not None:
            what = match["what"] or match["watchdog"] or match["fatal"] or match["panic"]
            named = _BARE.match(what)
            self._begin(number, named["type"] if named else "native", what, bare=True)
        elif (match := _BARE.match(text)) is not None:
            self._begin(number, match["type"], text, bare=True)

    def _in_traceback(self, number: int, line: Line) -> None:
        text = line.text
        if line.boxed:
            if (match := _BOX_FRAME.match(text.strip())) is not None:
                self._frames.append(Frame(match["file"], int(match["line"]), match["function"]))
            return
        if (match := _FRAME.match(text)) is not None:
            self._frames.append(Frame(match["file"], int(match["line"]), match["function"] or ""))
            return
        if not text.strip():
            return
        if len(text) - len(text.lstrip()) > self._indent:
            return
        match = _LAST.match(text.strip())
        if match is None:
            # An interleaved line of another thread or process.
            return
        if self._boxed and not _BARE.match(text.strip()):
            return
        self._inside = False
        self._begin(number, match["type"], text.strip(), bare=False)

    def _begin(self, number: int, name: str, text: str, *, bare: bool) -> None:
        self._type, self._message, self._at, self._bare, self._blank = name, [text], number, bare, False

    def _continues(self, text: str) -> bool:
        if not text:
            self._blank = True
            return False if len(self._message) > 1 else not self._message[0].endswith(tuple(".)"))
        if len(self._message) >= _MOST or text.startswith((_HANDLING, _DIRECT)) or _IGNORED.match(text):
            return False
        return not (_BARE.match(text) or _NEXT.match(text) or _NATIVE.search(text))

    def close(self) -> None:
        """End the exception that is being read."""
        if self._message and not self._ignored:
            self._found.append(
                Raised(
                    self._type,
                    tuple(text.rstrip() for text in self._message),
                    tuple(self._frames),
                    self._name,
                    self._at,
                    self._chained,
                    self._bare,
                )
            )
        if self._message:
            self._ignored = self._chained = False
            self._frames = []
        self._message = []
