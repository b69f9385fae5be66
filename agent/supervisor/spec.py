"""What a supervisor is told to run: ``spec.json``, written by the operation ``start``."""

from __future__ import annotations

import os
from typing import Any, Dict, List, NamedTuple, Optional

from agent import paths
from agent.supervisor.folder import environment_interpreter

#: Stands for the training interpreter in a command.
INTERPRETER = "{interpreter}"


class RankSpec(NamedTuple):
    """One process to start: ``argv`` may hold INTERPRETER, ``env`` is added to the node's own."""

    rank: int
    local_rank: int
    argv: List[str]
    env: Dict[str, str]


class Spec(NamedTuple):
    """All that this node runs of a run; ``grace`` is how long a stop waits, in seconds."""

    run: str
    node: str
    interpreter: Optional[str]
    grace: float
    ranks: List[RankSpec]


class SpecError(ValueError):
    """The spec can't be used; the text has every reason."""


def parse(value: Dict[str, Any]) -> Spec:
    """Return the spec that a JSON object holds; raises SpecError with all faults."""
    faults = []
    ranks = []
    entries = value.get("ranks")
    if not isinstance(entries, list) or not entries:
        faults.append("`ranks` must be a list with at least one rank")
        entries = []
    for index, entry in enumerate(entries):
        try:
            argv = [_text(word) for word in entry["argv"]]
            env = {_text(name): _text(text) for name, text in dict(entry.get("env") or {}).items()}
            rank = RankSpec(int(entry["rank"]), int(entry["local_rank"]), argv, env)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            faults.append("`ranks[%d]` is not a rank (%s: %s)" % (index, type(error).__name__, error))
            continue
        if not argv:
            faults.append("`ranks[%d]` has no command" % index)
        ranks.append(rank)
    if len({rank.rank for rank in ranks}) != len(ranks):
        faults.append("a rank stands in `ranks` twice")
    interpreter = value.get("interpreter")
    if interpreter is not None and not isinstance(interpreter, str):
        faults.append("`interpreter` must be a path")
    if faults:
        raise SpecError("; ".join(faults))
    return Spec(
        str(value.get("run", "")),
        str(value.get("node", "")),
        interpreter or None,
        float(value.get("grace", 30.0)),
        ranks,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError("%r is not a text" % (value,))
    return value


def interpreter(spec: Spec, root: str) -> str:
    """Return the training interpreter's path; raises SpecError when there is none to be found.

    A relative one is in the project's folder.
    """
    chosen = spec.interpreter or environment_interpreter(root)
    if chosen is None:
        raise SpecError("no training interpreter is known here: the environment was never set up")
    place = os.path.join(paths.shown(root), os.path.expanduser(chosen))
    if not os.path.isfile(place):
        raise SpecError("there is no interpreter at %s" % place)
    return place


def command(rank: RankSpec, spec: Spec, root: str) -> List[str]:
    """Return the rank's command with the interpreter put in; raises SpecError."""
    if INTERPRETER not in rank.argv:
        return list(rank.argv)
    found = interpreter(spec, root)
    return [found if word == INTERPRETER else word for word in rank.argv]
