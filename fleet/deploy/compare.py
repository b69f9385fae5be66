"""Ask a node what differs from the master's files, and settle what that leaves open."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from agent.tree.format import Unpacker, pack
from fleet.deploy.digests import Digests
from fleet.deploy.scan import Finding, Scan, SourceFile
from fleet.frozen import frozen
from fleet.link.client import AgentClient


class Target(NamedTuple):
    """Where a deploy goes: the project's folder on the node, and what tells this deploy to it from others."""

    project: str
    deploy: str


class Sending(NamedTuple):
    """A file to send from ``start`` on; ``digest`` is given when the node has all of it staged."""

    file: SourceFile
    start: int
    digest: str


@frozen
class Plan:
    """What has to change on one node."""

    send: tuple[Sending, ...] = ()
    #: Paths of ``send`` where the node has another file.
    replaced: frozenset[str] = frozenset()
    #: Same contents, other time or executable bit; with the digest.
    adjust: tuple[tuple[SourceFile, str], ...] = ()
    #: Path and size.
    delete: tuple[tuple[str, int], ...] = ()
    #: Left by an earlier deploy and changed on the node since: dtui lets go of them.
    kept: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    faults: tuple[Finding, ...] = ()
    #: The node's folder is the very one that would be deployed.
    same_folder: bool = False

    @property
    def size(self) -> int:
        """Bytes to send, uncompressed."""
        return sum(item.file.size - item.start for item in self.send)

    @property
    def empty(self) -> bool:
        """Whether the node needs nothing at all."""
        return not (self.send or self.adjust or self.delete or self.forget or self.kept)


async def compare(
    link: AgentClient, target: Target, scan: Scan, digests: Digests, *, source: str, dry_run: bool
) -> AsyncGenerator[int | Plan, None]:
    """Yield how many bytes the node had to read so far, now and then, and at last the plan.

    ``source`` names a file in the master's ``.dtui`` folder. Raises FleetError, OSError, EOFError.
    """
    unpacker = Unpacker()
    answered = False
    async with link.request(
        "manifest", project=target.project, deploy=target.deploy, source=source, dry_run=dry_run
    ) as request:
        for piece in pack(scan.files):
            await request.send(None, piece)
        await request.end()
        async for item in request:
            if item.body == "answer":
                unpacker.feed(item.payload)
                answered = True
            else:
                yield int(item.body["hashed"])
        result = request.result
    if result["same_folder"] or not answered:
        yield Plan(same_folder=True)
    else:
        yield await _settle(unpacker.value(), scan, digests)


async def _settle(answer: dict[str, Any], scan: Scan, digests: Digests) -> Plan:
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
    for number, digest in answer["doubt"]:
        if await digests.of(files[number]) == digest:
            adjust.append((files[number], digest))
        else:
            send.append(Sending(files[number], 0, ""))
            replaced.add(files[number].path)
    return Plan(
        send=tuple(sorted(send)),
        replaced=frozenset(replaced),
        adjust=tuple(adjust),
        # What is excluded by now was once wanted there, and may be so still: data, say.
        delete=tuple((path, size) for path, size in answer["delete"] if not scan.rules.excludes_file(path)),
        kept=tuple(answer["kept"]),
        forget=tuple(answer["forget"]),
        faults=tuple(Finding(path, reason) for path, reason in answer["faults"]),
    )
