"""What a supervisor has to run: ``spec.json``, written by the operation ``start``."""

from __future__ import annotations

import os
from typing import Dict, List, Optional, TypedDict

from agent import paths
from agent.secrets.reference import Reference, SecretsError
from agent.supervisor.folder import RunFolder, environment_interpreter, read
from agent.wire.decode import WireError, decode
from agent.wire.message import Message, message
from agent.wire.runs import RankCommand

#: Stands for the training interpreter in a command.
INTERPRETER = "{interpreter}"


#: Of ``spec.json``.
FORMAT = 1
#: Seconds that a stop waits unless the launch sets another value.
DEFAULT_GRACE = 30.0


class SecretsSpec(TypedDict):
    """See agent.secrets.Reference; ``nonce`` in hexadecimal."""

    names: List[str]
    address: str
    nonce: str


class _RunSpec(TypedDict):
    version: int
    run: str
    node: str
    interpreter: Optional[str]
    grace: float
    ranks: List[RankCommand]


class RunSpec(_RunSpec, total=False):
    """All that this node runs of a run; ``grace`` is how long a stop waits, in seconds.

    ``secrets`` is where the values of further variables of every rank can be fetched, once. ``log_limit``
    is how many bytes of each rank's log stay on the disk. ``observe``: false leaves agent.observer out.
    ``variables`` are the user's, see agent.environments.variables; ``workdir`` is the ranks' folder, below
    the project's.
    """

    secrets: SecretsSpec
    log_limit: int
    observe: bool
    variables: Dict[str, str]
    workdir: str


class SpecError(ValueError):
    """The spec can't be used; ``message`` has every reason."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def load(folder: RunFolder) -> RunSpec:
    """Return the run's spec; raises SpecError when there is none that can be used."""
    try:
        spec = decode(RunSpec, read(folder.spec), tolerant=True)
    except WireError as error:
        what = message("spec.invalid", "spec.json is not valid: {error}", error=str(error))
        raise SpecError(what) from None
    check(spec)
    return spec


def check(spec: RunSpec) -> None:
    """Raise SpecError with every fault of a spec of the right types."""
    faults = []
    own = spec.get("variables", {})
    if not spec["ranks"]:
        faults.append(message("spec.no-ranks", "`ranks` must have at least one rank"))
    for index, rank in enumerate(spec["ranks"]):
        if not rank["argv"]:
            faults.append(message("spec.no-command", "`ranks[{index}]` has no command", index=index))
        texts = (*rank["argv"], *rank["env"], *rank["env"].values())
        if any("\0" in text for text in (*texts, *own, *own.values())):
            faults.append(
                message(
                    "spec.nul",
                    "`ranks[{index}]` has a NUL character in its command or environment",
                    index=index,
                )
            )
    if len({rank["rank"] for rank in spec["ranks"]}) != len(spec["ranks"]):
        faults.append(message("spec.rank-twice", "a rank is in `ranks` twice"))
    if "secrets" in spec:
        try:
            Reference.from_json(spec["secrets"])
        except SecretsError as error:
            faults.append(error.message)
    if faults:
        raise SpecError(message("spec.faults", "{faults:; }", faults=faults))


def interpreter(spec: RunSpec, root: str) -> str:
    """Return the training interpreter's path; raises SpecError when there is none to be found.

    A relative one is in the project's folder.
    """
    chosen = spec["interpreter"] or environment_interpreter(root, spec["node"])
    if chosen is None:
        raise SpecError(
            message(
                "spec.no-environment",
                "no training interpreter is known here: the environment was never set up",
            )
        )
    place = os.path.join(paths.shown(root), os.path.expanduser(chosen))
    if not os.path.isfile(place):
        raise SpecError(message("spec.no-interpreter", "there is no interpreter at {path}", path=place))
    return place


def working_folder(spec: RunSpec, root: str) -> str:
    """Return the folder in which the ranks start; raises SpecError when it is not there."""
    return workdir_in(root, spec.get("workdir", ""))


def workdir_in(root: str, workdir: str) -> str:
    """Return the folder ``workdir`` below the project (empty for the project's); raises SpecError."""
    if not workdir:
        return paths.shown(root)
    try:
        place = os.path.join(root, *paths.split(workdir))
    except paths.PathRejected as error:
        raise SpecError(error.message) from None
    if not os.path.isdir(place):
        raise SpecError(
            message(
                "spec.no-workdir",
                "there is no folder {folder}, the run's `workdir`, on this node",
                folder=paths.shown(place),
            )
        )
    return paths.shown(place)


def command(rank: RankCommand, spec: RunSpec, root: str) -> List[str]:
    """Return the rank's command with the interpreter put in; raises SpecError."""
    if INTERPRETER not in rank["argv"]:
        return list(rank["argv"])
    found = interpreter(spec, root)
    return [found if word == INTERPRETER else word for word in rank["argv"]]
