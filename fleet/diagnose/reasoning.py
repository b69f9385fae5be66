"""From the output of ranks and from how they ended to a cause.

First comes the exception that ended the rank which failed first, with its chain and frames; then what a
process that no exception ended printed last; then how it ended. Another line of output counts only beside an
exception of its kind. Where nothing is known, no cause is claimed.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from agent.wire.message import EMPTY, Message, message
from fleet.diagnose.context import Context
from fleet.diagnose.exceptions import Raised, endings, raised_in
from fleet.diagnose.findings import Diagnosis, Report
from fleet.diagnose.output import Line, lines_of
from fleet.diagnose.rules import Rule

#: Lines from the end of an output in which a program without an exception says why it ends.
_LAST = 80
#: Lines that are looked at for what belongs to an exception.
_BESIDE = 2000
#: A program does not end by what it only warns of.
_NOISE = re.compile(
    r"^\s*(?:\[W\d*[ :]|W\d{4} |\[?(?:WARN(?:ING)?|DEBUG|INFO)\b|.*\b(?:WARNING|DEBUG|INFO|WARN)\b[ :|\]-]|"
    r".*\w+Warning\b|[Ww]arning:)"
)
#: How launchers report the end of the process that failed.
_TOLD = (
    re.compile(r"\bexitcode *: *(-?\d+)\b"),
    re.compile(r"returned non-zero exit status (-?\d+)\b"),
    re.compile(r"died with <Signals\.\w+: (\d+)>"),
    re.compile(r"terminated with signal (\d+)\b"),
    re.compile(r"process \d+ terminated with exit code (-?\d+)\b"),
)
_BY_SIGNAL = _TOLD[2:4]


class Output(Struct, frozen=True):
    """What a rank printed, and how it ended; ``exit_code`` is None when that is not known."""

    text: str
    context: Context
    rank: int | None = None
    exit_code: int | None = None
    #: Ended by the user or by dtui.
    stopped: bool = False


class _Seen(Struct, frozen=True):
    """What one rank's output shows."""

    output: Output
    found: Diagnosis | None
    raised: Raised | None = None
    #: The diagnosis is that of the exception that ended the rank.
    by_exception: bool = False

    @property
    def root(self) -> Diagnosis | None:
        return None if self.found is None or self.found.consequence else self.found


def diagnose(outputs: Sequence[Output], rules: Sequence[Rule], failed: int | None = None) -> Report:
    """Return what the ranks' output shows; ``failed`` is the rank that ended first, if that is known."""
    order = sorted(
        (output for output in outputs if output.exit_code != 0 and not output.stopped),
        key=lambda output: (output.rank != failed, output.rank is None, output.rank or 0),
    )
    seen = [_look(output, rules) for output in order]
    if not seen:
        return Report()
    if failed is None:
        # The rank that raised is the one to look at; those that lost it come last.
        seen.sort(key=lambda one: (one.root is None or not one.by_exception, one.raised is None))
    first = seen[0]
    if failed is not None and first.output.rank != failed:
        return _report(_unknown(first)) if first.root is None or not first.by_exception else _report(first)
    if first.root is not None:
        return _report(first)
    if first.found is not None or first.raised is None:
        # It ended because of another: a rank that raised, and does not only report a lost connection.
        for other in seen[1:]:
            if other.by_exception and other.root is not None:
                return _report(other)
        if first.found is not None:
            other_raised = (one for one in seen[1:] if one.raised is not None and one.found is None)
            return _report(next(other_raised, first))
    return _report(first)


def _unknown(one: _Seen) -> _Seen:
    return _Seen(one.output, None, one.raised)


def _look(output: Output, rules: Sequence[Rule]) -> _Seen:
    mine = [rule for rule in rules if rule.applies(output.context)]
    lines = lines_of(output.text)
    if output.context.kind != "run":
        return _Seen(output, _in_lines(lines, mine, output.context))
    raised = raised_in(lines)
    chains = endings(raised)
    best: _Seen | None = None
    for chain in chains:
        if chain[0].launcher:
            continue
        found = _of_chain(chain, lines, mine, output.context)
        one = _Seen(output, found, chain[0], found is not None)
        if one.root is not None:
            return one
        # A rank that only lost the connection to another is the last to be blamed.
        if best is None or (best.found is not None and found is None):
            best = one
    ended = _exit_code(output, lines)
    killed = ended is not None and (ended < 0 or ended > 255)
    if best is None or (best.found is None and killed):
        found = _ended(lines, mine, output.context, ended, quiet=best is not None)
        if found is not None:
            return _Seen(output, found, best.raised if best else None)
    return best or _Seen(output, None)


def _of_chain(
    chain: Sequence[Raised], lines: Sequence[Line], rules: Sequence[Rule], context: Context
) -> Diagnosis | None:
    later: Diagnosis | None = None
    for raised in chain:
        for found in _of_exception(raised, lines, rules, context):
            if not found.consequence:
                return found
            later = later or found
    return later


def _of_exception(
    raised: Raised, lines: Sequence[Line], rules: Sequence[Rule], context: Context
) -> Iterator[Diagnosis]:
    head = raised.lines[0]
    for rule in rules:
        if rule.after is not None and rule.at != "end":
            if rule.after.search(head):
                for line in reversed(lines[-_BESIDE:]):
                    if (found := rule.search(line.text, context)) is not None:
                        yield found
                        break
            continue
        if rule.at not in ("any", "exception") or not _fits(rule, raised):
            continue
        for text in raised.lines:
            if (found := rule.search(text, context)) is not None:
                yield found
                break


def _fits(rule: Rule, raised: Raised) -> bool:
    if rule.type is not None and not rule.type.fullmatch(raised.name):
        return False
    if rule.frame is None:
        return True
    return any(rule.frame.search(f"{frame.file} in {frame.function}") for frame in raised.frames)


def _in_lines(lines: Sequence[Line], rules: Sequence[Rule], context: Context) -> Diagnosis | None:
    for rule in rules:
        for line in reversed(lines[-_LAST:]):
            if (found := rule.search(line.text, context)) is not None:
                return found
    return None


def _ended(
    lines: Sequence[Line], rules: Sequence[Rule], context: Context, code: int | None, *, quiet: bool
) -> Diagnosis | None:
    """Return the cause in the last lines of a process that no exception ended, or in its exit code."""
    later: Diagnosis | None = None
    killed = code is not None and code < 0
    last = [line.text for line in lines[-_LAST:]]
    loud = [text for text in last if not _NOISE.match(text)]
    for rule in rules:
        if rule.at not in ("any", "line") or rule.type or rule.frame:
            continue
        if rule.after is not None and (killed or not any(rule.after.search(text) for text in last)):
            continue
        if quiet and rule.at == "any":
            continue
        for text in reversed(last if rule.at == "line" else loud):
            if (found := rule.search(text, context)) is not None:
                if not found.consequence:
                    return found
                later = later or found
                break
    if code is not None:
        for rule in rules:
            if rule.at == "end" and code in rule.exit:
                return rule.diagnosis("", {})
    return later


def _exit_code(output: Output, lines: Sequence[Line]) -> int | None:
    """Return how the process ended: below 0 for a signal, an NTSTATUS without a sign."""
    code = output.exit_code
    if code in (None, 1):
        for line in lines[-_LAST:]:
            for pattern in _TOLD:
                if (match := pattern.search(line.text)) is not None:
                    code = int(match[1])
                    return _normal(-code if pattern in _BY_SIGNAL else code, output.context)
    return None if code is None else _normal(code, output.context)


def _normal(code: int, context: Context) -> int:
    if code < -255:
        return code & 0xFFFFFFFF
    if context.system == "linux" and 128 < code < 160:
        return 128 - code
    return code


def _report(one: _Seen) -> Report:
    raised, found, rank = one.raised, one.found, one.output.rank
    place = raised.place if raised is not None else None
    quoted: list[str] = []
    if found is not None:
        found = Diagnosis(
            found.signature, found.cause, found.remedy, found.line, found.confidence, rank,
            found.consequence, found.lost_peer,
        )  # fmt: skip
        if found.line:
            quoted.append(found.line)
        quoted += [str(value) for value in found.cause.args.values()]
    exception = raised.lines[0] if raised is not None else ""
    if exception:
        quoted.append(exception)
    if place is not None:
        quoted += [str(place), place.function]
    steps: list[Message] = []
    if found is not None:
        steps.append(found.remedy)
    elif raised is not None:
        steps += _own_error(raised)
    return Report(
        found,
        exception,
        str(place) if place is not None else "",
        place.function if place is not None else "",
        rank,
        EMPTY,
        tuple(steps),
        tuple(dict.fromkeys(text for text in quoted if text)),
    )


def _own_error(raised: Raised) -> Iterator[Message]:
    known = getattr(builtins, raised.name, None)
    builtin = isinstance(known, type) and issubclass(known, BaseException)
    place = raised.place
    if place is not None and builtin:
        yield message(
            "diagnosis.own-error",
            "look at {place} in {function}, where the program raises the {name}",
            place=str(place),
            function=place.function or "-",
            name=raised.name,
        )
    elif place is not None:
        yield message(
            "diagnosis.own-exception",
            "look at {place} in {function}, where the program raises the exception",
            place=str(place),
            function=place.function or "-",
        )
    elif builtin:
        yield message(
            "diagnosis.own-error-anywhere", "find where the program raises the {name}", name=raised.name
        )
