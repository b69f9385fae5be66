"""The user's own pattern for the lines of progress, ``run.progress`` in nodes.yaml."""

from __future__ import annotations

import re

from agent.wire.message import Message, message
from fleet.printed.figures import Figures, to_count, to_float, to_seconds

#: The named groups that a pattern may have.
GROUPS = ("step", "steps", "epoch", "epochs", "loss", "lr", "eta")
_LONGEST_PATTERN = 500
#: A group that is repeated: ``(a+)+``, ``(?:a|ab)*``, ``(a){2,}``. An escaped parenthesis is none.
_REPEATED_GROUP = re.compile(r"(?<!\\)(?:\\\\)*\)(?:[*+]|\{)")


class PatternError(ValueError):
    """A pattern cannot be used, with the reason."""

    def __init__(self, what: Message) -> None:
        super().__init__(what)
        self.what = what


def compile_pattern(text: str) -> re.Pattern[str]:
    """Return the compiled pattern; raises PatternError.

    A repeated group is rejected: some line of a program could keep it busy forever.
    """
    if len(text) > _LONGEST_PATTERN:
        raise PatternError(
            message("progress.pattern-long", "is longer than {most} characters", most=_LONGEST_PATTERN)
        )
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(
            message("progress.pattern-invalid", "is not a regular expression: {error}", error=str(error))
        ) from None
    names = set(pattern.groupindex)
    if not names & {"step", "epoch", "loss"} or not names <= set(GROUPS):
        raise PatternError(
            message(
                "progress.pattern-groups",
                "needs a group such as (?P<step>\\d+); the names are {names}",
                names=GROUPS,
            )
        )
    if _REPEATED_GROUP.search(text):
        raise PatternError(
            message(
                "progress.pattern-repeats",
                "repeats a group with *, + or {{...}}, for which some lines would take forever",
            )
        )
    return pattern


def pattern_figures(pattern: re.Pattern[str], line: str) -> Figures | None:
    """Return the figures of a line, None when the pattern does not match."""
    found = pattern.search(line)
    if found is None:
        return None
    groups = {name: text.strip() for name, text in found.groupdict().items() if text}
    return Figures(
        step=to_count(groups.get("step", "")),
        steps=to_count(groups.get("steps", "")),
        epoch=to_float(groups.get("epoch", "")),
        epochs=to_count(groups.get("epochs", "")),
        loss=to_float(groups.get("loss", "")),
        lr=to_float(groups.get("lr", "")),
        eta=to_seconds(groups.get("eta", "")),
    )
