"""Which setup commands a node has run: ``.dtui/setup-<node>.json``.

A command is done when it has ended with exit code 0 and nothing that it depends on has changed since: its
words, the working folder, the user's variables, the training environment (each time that it was made), its
inputs, and the commands before it.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Dict, List, Mapping, Optional, Sequence, TypedDict

from agent import durable
from agent.private import OWN
from agent.wire.decode import WireError, decode
from agent.wire.deploy import SetupCommand


class Done(TypedDict):
    """A command that has succeeded; ``inputs`` is None when they were not known."""

    stamp: str
    inputs: Optional[str]


class State(TypedDict):
    """``made`` are the files and folders that commands have made in the project, see made_files."""

    done: List[Done]
    made: List[str]


class SetupState:
    """The state of one node; nodes may share the project's folder."""

    def __init__(self, root: str, node: str) -> None:
        self.path = os.path.join(root, OWN, "setup-%s.json" % node)
        self.log = os.path.join(root, OWN, "setup-%s.log" % node)

    def read(self) -> State:
        """Return what was kept, nothing without a readable file."""
        try:
            return decode(State, durable.read_json(self.path), tolerant=True)
        except WireError:
            return {"done": [], "made": []}

    def write(self, done: Sequence[Done], made: Sequence[str]) -> None:
        """Keep the state; raises OSError."""
        durable.write_json(self.path, {"done": list(done), "made": list(made)})


def stamp_of(
    argv: Sequence[str], workdir: str, variables: Mapping[str, str], secrets: Sequence[str], build: str
) -> str:
    """Return a digest of what a command depends on, without its inputs and the values of secrets."""
    known: Dict[str, object] = {
        "argv": list(argv),
        "workdir": workdir,
        "variables": sorted(variables.items()),
        "secrets": sorted(secrets),
        "build": build,
    }
    return hashlib.blake2b(json.dumps(known).encode("ascii"), digest_size=16).hexdigest()


def first_to_run(commands: Sequence[SetupCommand], stamps: Sequence[str], done: Sequence[Done]) -> int:
    """Return the index of the first command that must run, and with it all that follow."""
    for index, (command, stamp) in enumerate(zip(commands, stamps)):
        if index >= len(done) or done[index]["stamp"] != stamp:
            return index
        if command["inputs"] is not None and command["inputs"] != done[index]["inputs"]:
            return index
    return len(commands)
