"""Compares a console's manifest with the node's tree: files that are missing, uncertain or left over."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Callable, Collection, List, Optional, Sequence, Tuple

from agent.paths import PathRejected
from agent.tree.format import file_digest
from agent.tree.places import Found, Tree
from agent.tree.record import Record
from agent.tree.staging import Staging, digests_of, key
from agent.wire.deploy import Differences, Entry
from agent.wire.message import Message, message, to_data


@dataclass
class Answer:
    """How a node's tree differs from a manifest. Numbers are positions in the manifest."""

    #: Contents must be sent.
    need: List[int] = field(default_factory=list)
    #: Those of ``need`` where a file is, which will be replaced.
    exists: List[int] = field(default_factory=list)
    #: Same size, another time: equal if the console's file has this digest.
    verify: List[Tuple[int, str]] = field(default_factory=list)
    #: Of ``need``: this many bytes with this digest are here from an interrupted deploy.
    staged: List[Tuple[int, int, str]] = field(default_factory=list)
    #: Same contents, another executable bit.
    adjust: List[int] = field(default_factory=list)
    #: Files of earlier deploys that the manifest does not have: path and size.
    delete: List[Tuple[str, int]] = field(default_factory=list)
    #: The same, but changed on the node since: they stay.
    kept: List[str] = field(default_factory=list)
    #: Records of files that no longer exist.
    forget: List[str] = field(default_factory=list)
    #: Why the manifest can't be deployed here: path, and the reason, which begins with the path.
    faults: List[Tuple[str, Message]] = field(default_factory=list)


def compare(
    tree: Tree,
    entries: Sequence[Entry],
    record: Record,
    staging: Staging,
    hashed: Optional[Callable[[int], None]] = None,
    leaving: Collection[str] = (),
) -> Answer:
    """Return the differences between ``entries`` (see agent.tree.format) and ``tree``; changes nothing.

    ``hashed`` is called with the bytes of each block that had to be read. ``leaving`` are files that will be
    deleted besides those that earlier deploys have put there.
    """
    answer = Answer()
    _find_leftovers(tree, entries, record, answer)
    going = {path for path, _ in answer.delete}.union(leaving)
    for number, (path, size, mtime_ns, executable) in enumerate(entries):
        try:
            found = tree.find(path)
            reason = obstacle(tree, path, found, going)
        except PathRejected as rejected:
            answer.faults.append((path, rejected.message))
            continue
        if reason is not None:
            answer.faults.append((path, reason))
        elif found is None or found.kind != "file" or found.size != size:
            need(number, key(path, size, mtime_ns), size, found, staging, answer, hashed)
        elif _same_time(record, path, mtime_ns, found):
            if executable is not None and os.name != "nt" and bool(executable) != found.executable:
                answer.adjust.append(number)
        else:
            digest = _digest(tree, record, path, found, hashed)
            if digest is None:
                need(number, key(path, size, mtime_ns), size, found, staging, answer, hashed)
            else:
                answer.verify.append((number, digest))
    return answer


def _find_leftovers(tree: Tree, entries: Sequence[Entry], record: Record, answer: Answer) -> None:
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


def obstacle(tree: Tree, path: str, found: Optional[Found], going: Collection[str]) -> Optional[Message]:
    """Return why nothing can be put at ``path``, None when something can."""
    if found is None:
        blocker = tree.blocker(path)
        if blocker is not None and blocker not in going:
            return message(
                "path.file-in-the-way",
                "{path!r} needs a folder where the node has the file {file!r}",
                path=path,
                file=blocker,
            )
    elif found.kind == "folder":
        others = [other for other in tree.below(path) if other not in going]
        if others:
            return message(
                "path.folder-with-files",
                "{path!r} is a folder on the node, with files that dtui did not put there ({file!r})",
                path=path,
                file=others[0],
            )
    elif found.kind == "other":
        return message("path.special-file", "{path!r} is neither a file nor a folder on the node", path=path)
    return None


def _same_time(record: Record, path: str, mtime_ns: int, found: Found) -> bool:
    known = record.get(path)
    if known is not None and known.unchanged(found):
        # By our own notes, since the node's file system may keep times less exactly.
        return known.source_mtime_ns == mtime_ns
    return found.mtime_ns == mtime_ns


def need(
    number: int,
    name: str,
    size: int,
    found: Optional[Found],
    staging: Staging,
    answer: Answer,
    hashed: Optional[Callable[[int], None]],
) -> None:
    """Note that a file's contents must be sent, but for what is staged."""
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


def as_json(answer: Answer) -> Differences:
    """Return the answer as it travels."""
    return {
        "need": answer.need,
        "exists": answer.exists,
        "verify": answer.verify,
        "staged": answer.staged,
        "adjust": answer.adjust,
        "delete": answer.delete,
        "kept": answer.kept,
        "forget": answer.forget,
        "faults": [(path, to_data(reason)) for path, reason in answer.faults],
    }
