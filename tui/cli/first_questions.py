"""What ``dtui init`` asks, and how answers become workers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fleet.init import Candidate
from fleet.inventory import InventoryError, Node, default_project, from_addresses, load_workers_json
from tui.cli.exits import UsageError
from tui.i18n import Texts


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


class Asker:
    """Asks on stderr, reads stdin; an empty answer takes what stands in brackets."""

    def __init__(self, texts: Texts) -> None:
        self._said = texts.said

    def text(self, question: str, otherwise: str) -> str | None:
        """Return the answer, None for an empty one; raises UsageError at the end of the input."""
        print(f"{self._said(question)} [{self._said(otherwise)}]: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise UsageError("the input ended before everything was answered; nothing was written")
        return line.strip() or None

    def yes(self, question: str) -> bool:
        """Return True for a spelled-out yes."""
        return (self.text(question, "yes/NO") or "").lower() == "yes"

    def workers(self, candidates: Sequence[Candidate], project: Path) -> tuple[Node, ...]:
        """Return the workers that the person names, asking again after an answer that can't be used."""
        workers: list[Node] = []
        if candidates:
            print(f"{self._said('Hosts that this machine knows')}:", file=sys.stderr)
            for number, candidate in enumerate(candidates, 1):
                shown = candidate.address if candidate.address != candidate.name else ""
                print(f"  {number:>3}  {candidate.name:20} {shown:20} {candidate.source}", file=sys.stderr)
            while True:
                answer = self.text("Which of them are workers: numbers, names, or all", "none")
                try:
                    workers += [as_node(one, project) for one in _chosen(answer or "", candidates)]
                except UsageError as error:
                    print(self._said(str(error)), file=sys.stderr)
                else:
                    break
        while True:
            answer = self.text("Further workers by address, such as 192.168.1.[101-104]", "none")
            try:
                found = (
                    from_addresses(answer.replace(" ", ",").split(","), project=project) if answer else None
                )
            except InventoryError as error:
                print(self._said(str(error)), file=sys.stderr)
            else:
                return _each_once([*workers, *(found.workers if found else ())])


def _chosen(answer: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that numbers (from 1, also 2-4) and names stand for; raises UsageError."""
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
                raise UsageError(f"{word}: there are hosts 1 to {len(candidates)}")
            chosen += [candidates[number - 1] for number in numbers]
        else:
            known = ", ".join(by_name) or "none"
            raise UsageError(f"{word} is not a host of the OpenSSH files; they name {known}")
    return list(dict.fromkeys(chosen))


def _each_once(workers: Sequence[Node]) -> tuple[Node, ...]:
    return tuple({worker.name: worker for worker in reversed(workers)}.values())[::-1]
