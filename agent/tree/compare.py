"""Compare a console's manifest with the node's tree: what is missing, what is in doubt, what is over."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from agent.paths import PathRejected
from agent.tree.format import file_digest
from agent.tree.places import Found, Tree
from agent.tree.record import Record
from agent.tree.staging import Staging, digests_of, key


@dataclass
class Answer:
    """What a node tells about a manifest. Numbers are positions in the manifest."""

    #: Contents must be sent.
    need: List[int] = field(default_factory=list)
    #: Those of ``need`` where a file is, which will be replaced.
    exists: List[int] = field(default_factory=list)
    #: Same size, another time: equal if the console's file has this digest.
    doubt: List[Tuple[int, str]] = field(default_factory=list)
    #: Of ``need``: so many bytes with this digest are here from a deploy that broke off.
    staged: List[Tuple[int, int, str]] = field(default_factory=list)
    #: Same contents, another executable bit.
    adjust: List[int] = field(default_factory=list)
    #: Files of earlier deploys that the manifest does not have: path and size.
    delete: List[Tuple[str, int]] = field(default_factory=list)
    #: The same, but changed on the node since: they stay.
    kept: List[str] = field(default_factory=list)
    #: Records that mean nothing any more.
    forget: List[str] = field(default_factory=list)
    #: Why the manifest can't be deployed here: path, reason.
    faults: List[Tuple[str, str]] = field(default_factory=list)


def compare(
    tree: Tree,
    entries: Sequence[Sequence[Any]],
    record: Record,
    staging: Staging,
    hashed: Optional[Callable[[int], None]] = None,
) -> Answer:
    """Return the differences between ``entries`` (see agent.tree.format) and ``tree``; changes nothing.

    ``hashed`` is told the bytes of each block that had to be read.
    """
    answer = Answer()
    _find_leftovers(tree, entries, record, answer)
    going = {path for path, _ in answer.delete}
    for number, (path, size, mtime_ns, executable) in enumerate(entries):
        try:
            found = tree.find(path)
            reason = _obstacle(tree, path, found, going)
        except PathRejected as rejected:
            answer.faults.append((path, rejected.reason))
            continue
        if reason:
            answer.faults.append((path, reason))
        elif found is None or found.kind != "file" or found.size != size:
            _need(number, key(path, size, mtime_ns), size, found, staging, answer, hashed)
        elif _same_time(record, path, mtime_ns, found):
            if executable is not None and os.name != "nt" and bool(executable) != found.executable:
                answer.adjust.append(number)
        else:
            digest = _digest(tree, record, path, found, hashed)
            if digest is None:
                _need(number, key(path, size, mtime_ns), size, found, staging, answer, hashed)
            else:
                answer.doubt.append((number, digest))
    return answer


def _find_leftovers(tree: Tree, entries: Sequence[Sequence[Any]], record: Record, answer: Answer) -> None:
    wanted = {tree.fold(entry[0]) for entry in entries}
    for path, entry in record.items():
        if tree.fold(path) in wanted:
            continue
        try:
            found = tree.find(path)
        except PathRejected:
            found = None
        if not entry.ours or found is None:
            answer.forget.append(path)
        elif entry.unchanged(found):
            answer.delete.append((path, entry.size))
        else:
            answer.kept.append(path)


def _obstacle(tree: Tree, path: str, found: Optional[Found], going: set[str]) -> str:
    """Return why nothing can be put at ``path``, "" when something can."""
    if found is None:
        blocker = tree.blocker(path)
        if blocker is not None and blocker not in going:
            return f"needs a folder where the node has the file {blocker!r}"
    elif found.kind == "folder":
        others = [other for other in tree.below(path) if other not in going]
        if others:
            return f"is a folder on the node, with files that dtui did not put there ({others[0]!r})"
    elif found.kind == "other":
        return "is neither a file nor a folder on the node"
    return ""


def _same_time(record: Record, path: str, mtime_ns: int, found: Found) -> bool:
    known = record.get(path)
    if known is not None and known.unchanged(found):
        # By our own notes, since the node's file system may keep times less exactly.
        return known.source_mtime_ns == mtime_ns
    return found.mtime_ns == mtime_ns


def _need(
    number: int,
    name: str,
    size: int,
    found: Optional[Found],
    staging: Staging,
    answer: Answer,
    hashed: Optional[Callable[[int], None]],
) -> None:
    answer.need.append(number)
    if found is not None and found.kind in ("file", "link"):
        answer.exists.append(number)
    length = staging.length(name, size)
    if length is not None:
        try:
            digest = file_digest(digests_of(staging.place(name), length, hashed))
        except OSError:
            return
        answer.staged.append((number, length, digest))


def _digest(
    tree: Tree, record: Record, path: str, found: Found, hashed: Optional[Callable[[int], None]]
) -> Optional[str]:
    known = record.get(path)
    if known is not None and known.unchanged(found):
        return known.digest
    try:
        return file_digest(digests_of(tree.place(path), found.size, hashed))
    except OSError:
        return None


def as_json(answer: Answer) -> Dict[str, Any]:
    """Return the answer as it travels."""
    return dict(answer.__dict__)
