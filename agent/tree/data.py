"""Compare a console's list of data files with the node's folder, where people and programs put files too."""

from __future__ import annotations

import os
from typing import Callable, Optional, Sequence

from agent.paths import PathRejected, split
from agent.tree.compare import Answer, compare, need, obstacle
from agent.tree.places import Tree
from agent.tree.record import Record
from agent.tree.staging import Staging, key
from agent.wire.deploy import Entry
from agent.wire.message import Message

Hashed = Callable[[int], None]


def find_missing(tree: Tree, entries: Sequence[Entry], staging: Staging, hashed: Hashed) -> Answer:
    """Return which of the files are not there. Whatever has a file's name is left as it is, and not read."""
    answer = Answer()
    for number, (path, size, mtime_ns, _) in enumerate(entries):
        try:
            if tree.find(path) is not None:
                continue
            reason: Optional[Message] = obstacle(tree, path, None, set())
        except PathRejected as rejected:
            # Behind a link to a folder elsewhere, what is there is there; nothing is written through it.
            if os.path.lexists(os.path.join(tree.root, *split(path))):
                continue
            reason = rejected.message
        if reason is not None:
            answer.faults.append((path, reason))
        else:
            need(number, key(path, size, mtime_ns), size, None, staging, answer, hashed)
    return answer


def find_differences(
    tree: Tree, entries: Sequence[Entry], record: Record, staging: Staging, hashed: Hashed
) -> Answer:
    """Return all differences: ``delete`` has every file that the console's folder lacks."""
    wanted = {tree.fold(entry[0]) for entry in entries}
    extra = []
    for path in tree.all_files():
        if tree.fold(path) not in wanted:
            try:
                found = tree.find(path)
            except PathRejected:
                continue  # a name that can't be sent
            if found is not None:
                extra.append((path, found.size))
    answer = compare(tree, entries, record, staging, hashed, leaving={path for path, _ in extra})
    answer.delete = sorted(extra)
    answer.kept = []
    return answer
