"""Requests a node's differences from the master's files, and plans the deploy to the node."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple

from msgspec import Struct

from agent.tree.format import ListError, Unpacker, pack
from agent.wire.deploy import DataSync, Differences, ManifestArgs
from agent.wire.message import Message, from_data, message
from agent.wire.operations import MANIFEST
from agent.wire.reasons import reason_of
from fleet.deploy.digests import Digests
from fleet.deploy.scan import Finding, Scan, SourceFile
from fleet.deploy.waits import Waits
from fleet.errors import InvalidAnswer
from fleet.link.client import AgentClient

#: Characters of another project's origin that are shown.
_LONGEST_ORIGIN = 1000


class Target(NamedTuple):
    """The target of a deploy: the project's folder on the node, and the id of this deploy."""

    project: str
    deploy: str


class Sending(NamedTuple):
    """A file to send from ``start`` on; ``digest`` is given when the node has all of it staged."""

    file: SourceFile
    start: int
    digest: str


class Plan(Struct, frozen=True):
    """What has to change on one node."""

    send: tuple[Sending, ...] = ()
    #: Paths of ``send`` where the node has another file.
    replaced: frozenset[str] = frozenset()
    #: Same contents, other time or executable bit; with the digest.
    adjust: tuple[tuple[SourceFile, str], ...] = ()
    #: Path and size.
    delete: tuple[tuple[str, int], ...] = ()
    #: Made by an earlier deploy, deleted on the master, and changed on the node: dtui no longer tracks them.
    kept: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    faults: tuple[Finding, ...] = ()
    #: The node's folder is the source of the deploy itself.
    same_folder: bool = False
    #: Another node with the same folder, which gets the files.
    shares: str = ""
    #: The origin of another project that was deployed to the folder; most of its files are not in this one.
    other: str = ""

    @property
    def size(self) -> int:
        """Bytes to send, uncompressed."""
        return sum(item.file.size - item.start for item in self.send)

    @property
    def empty(self) -> bool:
        """Whether the node needs no change."""
        return not (self.send or self.adjust or self.delete or self.forget or self.kept)


async def compare(
    link: AgentClient,
    target: Target,
    scan: Scan,
    digests: Digests,
    *,
    source: str,
    dry_run: bool,
    sync: DataSync | None = None,
    origin: str | None = None,
) -> AsyncGenerator[int | Plan, None]:
    """Yield the number of bytes that the node has read, repeatedly, and finally the plan.

    ``source`` names a file in the master's ``.dtui`` folder; ``sync``: the folder is data. Raises FleetError,
    OSError, EOFError.
    """
    unpacker = Unpacker()
    answered = False
    # A file may be read twice: staged by an interrupted deploy, and in place.
    waits = Waits(link.node)
    hashed, most = 0, 2 * scan.size + (1 << 20)
    args = ManifestArgs(project=target.project, deploy=target.deploy, source=source, dry_run=dry_run)
    if sync is not None:
        args["sync"] = sync
    if origin is not None:
        args["origin"] = origin
    async with link.request(MANIFEST, args) as request:
        for piece in pack(scan.files):
            await request.send(None, piece)
        await request.end()
        async for item in request:
            read = item.body["hashed"]
            if read is not None:
                if not hashed < read <= most:
                    why = message("deploy.bytes-read", "{read} bytes read of {most}", read=read, most=most)
                    raise InvalidAnswer("manifest", why, node=link.node)
                hashed = read
                yield read
            elif item.body["waiting"] is not None:
                waits.add(item.body["waiting"])
            else:
                try:
                    unpacker.feed(item.payload)
                except ListError as error:
                    raise InvalidAnswer("manifest", reason_of(error), node=link.node) from None
                answered = True
        result = request.result
    if result["same_folder"] or not answered:
        yield Plan(same_folder=True)
    elif result["shares"] is not None:
        yield Plan(shares=result["shares"])
    else:
        try:
            answer = unpacker.value(Differences)
        except ListError as error:
            raise InvalidAnswer("manifest", reason_of(error), node=link.node) from None
        if wrong := answer_fault(answer, scan, sync):
            raise InvalidAnswer("manifest", wrong, node=link.node)
        yield await _plan_of(answer, scan, digests, (result["other"] or "")[:_LONGEST_ORIGIN])


def answer_fault(answer: Differences, scan: Scan, sync: DataSync | None) -> Message | None:
    """Return why the node's answer does not fit the list: unknown files, or more bytes than a file has."""
    count = len(scan.files)
    if sync == "once" and (answer["exists"] or answer["verify"] or answer["adjust"] or answer["delete"]):
        return message("deploy.answer-not-missing", "changes to files where only missing ones were asked for")
    numbers = [*answer["need"], *answer["exists"], *answer["adjust"]]
    numbers += [number for number, _ in answer["verify"]] + [number for number, _, _ in answer["staged"]]
    for number in numbers:
        if not 0 <= number < count:
            return message(
                "deploy.answer-file", "file number {number} of {count}", number=number, count=count
            )
    for name, listed in (("need", answer["need"]), ("adjust", answer["adjust"])):
        if len(set(listed)) != len(listed):
            return message("deploy.answer-file-twice", "a file is listed twice in `{list}`", list=name)
    for number, length, _ in answer["staged"]:
        if not 0 <= length <= scan.files[number].size:
            return message(
                "deploy.answer-staged",
                "{length} bytes staged of {path!r}",
                length=length,
                path=scan.files[number].path,
            )
    return None


async def _plan_of(answer: Differences, scan: Scan, digests: Digests, other: str) -> Plan:
    files = scan.files
    staged = {number: (length, digest) for number, length, digest in answer["staged"]}
    send = []
    for number in answer["need"]:
        start, digest = staged.get(number, (0, ""))
        if number in staged and await digests.of(files[number], start) != digest:
            start, digest = 0, ""
        send.append(Sending(files[number], start, digest if start == files[number].size else ""))
    adjust = [(files[number], await digests.of(files[number])) for number in answer["adjust"]]
    replaced = {files[number].path for number in answer["exists"]}
    for number, digest in answer["verify"]:
        if await digests.of(files[number]) == digest:
            adjust.append((files[number], digest))
        else:
            send.append(Sending(files[number], 0, ""))
            replaced.add(files[number].path)
    return Plan(
        send=tuple(sorted(send)),
        replaced=frozenset(replaced),
        adjust=tuple(adjust),
        delete=tuple((path, size) for path, size in answer["delete"] if scan.may_delete(path)),
        kept=tuple(path for path in answer["kept"] if scan.may_delete(path)),
        forget=tuple(answer["forget"]),
        other=other,
        faults=tuple(Finding(path, from_data(data)) for path, data in answer["faults"]),
    )
