"""The questions of ``dtui init``, and the workers for the answers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from agent.wire.message import Message, message
from fleet.init import Candidate
from fleet.init.importers import Host
from fleet.inventory import (
    InventoryError,
    Node,
    default_project,
    from_addresses,
    load_workers_json,
    node_names,
)
from fleet.terminal import one_line
from transports.registry import DEFAULT_TRANSPORT
from tui.cli.errors import error_text
from tui.cli.exits import UsageError
from tui.cli.output import ask, err
from tui.i18n import Texts

_NONE = message("cli-init.none", "none")
_YES_OR_NO = Message("yes/NO")


def named_workers(
    args: argparse.Namespace, candidates: Sequence[Candidate], project: Path
) -> tuple[Node, ...]:
    """Return the workers that the options name, each name once; raises UsageError and InventoryError."""
    workers: list[Node] = []
    if args.from_ssh is not None:
        workers += [as_node(candidate, project) for candidate in _chosen(args.from_ssh, candidates)]
    if args.workers is not None:
        workers += from_addresses(args.workers.split(","), project=project).workers
    if args.workers_file is not None:
        workers += load_workers_json(args.workers_file, project=project).workers
    return _each_once(workers)


def as_node(candidate: Candidate, project: Path) -> Node:
    """Return the candidate as a worker of the project."""
    return Node(
        name=candidate.name,
        address=candidate.address,
        port=candidate.port,
        user=candidate.user,
        identity=candidate.identity,
        project=default_project(project),
    )


def as_worker(host: Host, project: Path) -> Node:
    """Return an imported host as a worker of the project."""
    return Node(
        name=host.name,
        address=host.address,
        transport=host.transport or DEFAULT_TRANSPORT,
        port=host.port,
        user=host.user,
        identity=host.identity,
        python=host.python,
        gpus=host.gpus,
        tags=tuple(tag for tag in host.tags if node_names.name(tag) is None),
        project=default_project(project),
    )


class InitPrompts:
    """Asks on stderr, reads stdin; an empty answer selects the value in brackets."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def text(self, question: Message, otherwise: Message) -> str | None:
        """Return the answer, None for an empty one; raises UsageError at the end of the input."""
        line = ask(f"{self._texts.capitalized(question)} [{self._texts.translate(otherwise)}]: ")
        if not line:
            raise UsageError(
                message(
                    "cli-init.input-ended",
                    "the input ended before all questions were answered; nothing was written",
                )
            )
        return line.strip() or None

    def yes(self, question: Message) -> bool:
        """Return True for a spelled-out yes."""
        return (self.text(question, _YES_OR_NO) or "").lower() == "yes"

    def workers(self, candidates: Sequence[Candidate], project: Path) -> tuple[Node, ...]:
        """Return the workers that the user names, asking again after an answer that can't be used."""
        workers: list[Node] = []
        if candidates:
            err(f"{self._texts.capitalized(message('cli-init.hosts', 'hosts in the OpenSSH files'))}:")
            for number, candidate in enumerate(candidates, 1):
                shown = candidate.address if candidate.address != candidate.name else ""
                err(f"  {number:>3}  {one_line(candidate.name):20} {one_line(shown):20} {candidate.source}")
            while True:
                answer = self.text(
                    message("cli-init.which-hosts", "which of them are workers (numbers, names, or all)"),
                    _NONE,
                )
                try:
                    workers += [as_node(one, project) for one in _chosen(answer or "", candidates)]
                except UsageError as error:
                    err(error_text(error, self._texts))
                else:
                    break
        while True:
            answer = self.text(
                message("cli-init.more-workers", "further workers by address, such as 192.168.1.[101-104]"),
                _NONE,
            )
            try:
                found = (
                    from_addresses(answer.replace(" ", ",").split(","), project=project) if answer else None
                )
            except InventoryError as error:
                err(error_text(error, self._texts))
            else:
                return _each_once([*workers, *(found.workers if found else ())])


def _chosen(answer: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates for numbers (from 1, also 2-4) and names; raises UsageError."""
    if answer.strip().lower() == "all":
        return list(candidates)
    by_name = {candidate.name: candidate for candidate in candidates}
    chosen: list[Candidate] = []
    for word in answer.replace(",", " ").split():
        first, dash, last = word.partition("-")
        if word in by_name:
            chosen.append(by_name[word])
        elif first.isdecimal() and (not dash or last.isdecimal()):
            numbers = range(int(first), int(last or first) + 1)
            if not numbers or numbers[0] < 1 or numbers[-1] > len(candidates):
                raise UsageError(
                    message(
                        "cli-init.host-number",
                        "{word}: there are hosts 1 to {last}",
                        word=word,
                        last=len(candidates),
                    )
                )
            chosen += [candidates[number - 1] for number in numbers]
        else:
            if not by_name:
                raise UsageError(message("cli-init.no-hosts", "the OpenSSH files name no hosts"))
            raise UsageError(
                message(
                    "cli-init.unknown-host",
                    "{word} is not in the OpenSSH files; they name {known}",
                    word=word,
                    known=list(by_name),
                )
            )
    return list(dict.fromkeys(chosen))


def _each_once(workers: Sequence[Node]) -> tuple[Node, ...]:
    return tuple({worker.name: worker for worker in reversed(workers)}.values())[::-1]
