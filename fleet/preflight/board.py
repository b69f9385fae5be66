"""Collects observations and judges each check as soon as what it needs is there. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fleet.events import CheckFinished
from fleet.inventory import Node
from fleet.preflight.check import Absent, Check, Situation, Subject, Verdict, skip


class Board:
    """The matrix of ``checks`` times ``rows`` (nodes) while it fills.

    Observations of all nodes of the situation count; results are only told of ``rows``.
    """

    def __init__(
        self,
        situation: Situation,
        checks: Sequence[Check],
        *,
        rows: Sequence[Node] | None = None,
        clock: Callable[[], float],
    ) -> None:
        self.situation = situation
        self._checks = tuple(checks)
        self._rows = tuple(situation.nodes if rows is None else rows)
        self._clock = clock
        self._seen: dict[str, dict[str, Any]] = {node.name: {} for node in (*situation.nodes, *self._rows)}
        self._done: set[tuple[str, str]] = set()

    @property
    def seen(self) -> dict[str, dict[str, Any]]:
        """Node -> observation -> value or Absent."""
        return self._seen

    def put(self, node: str, observation: str, value: Any) -> list[CheckFinished]:
        """Take an observation; return the results that it completes, in the order of the columns."""
        self._seen[node][observation] = value
        told_by_all = all(observation in one for one in self._seen.values())
        return self._judge(
            (check, row)
            for check in self._checks
            if observation in check.needs and (check.scope == "node" or told_by_all)
            for row in self._rows
            if check.scope != "node" or row.name == node
        )

    def settle(self, reason: str) -> list[CheckFinished]:
        """Return a result for every cell that has none yet: what is missing will not come."""
        wanted = {need for check in self._checks for need in check.needs}
        for observations in self._seen.values():
            for name in wanted - observations.keys():
                observations[name] = Absent(reason)
        return self._judge((check, row) for check in self._checks for row in self._rows)

    def _judge(self, cells: Iterable[tuple[Check, Node]]) -> list[CheckFinished]:
        """Return the results of those cells that have none yet and lack nothing."""
        memo: dict[str, Any] = {}
        ready: dict[str, bool] = {}
        results = []
        for check, node in cells:
            if (node.name, check.name) in self._done:
                continue
            if check.scope == "node":
                complete = self._complete(check, [node.name])
            else:
                if check.name not in ready:
                    ready[check.name] = self._complete(check, self._seen)
                complete = ready[check.name]
            if complete:
                self._done.add((node.name, check.name))
                results.append(self._result(check, node, memo))
        return results

    def _complete(self, check: Check, nodes: Iterable[str]) -> bool:
        return all(need in self._seen[name] for name in nodes for need in check.needs)

    def _result(self, check: Check, node: Node, memo: dict[str, Any]) -> CheckFinished:
        verdict = self._verdict(check, node, memo)
        return CheckFinished(
            node=node.name,
            at=self._clock(),
            check=check.name,
            status=verdict.status,
            seen=verdict.seen,
            why=check.why,
            remedy=verdict.remedy,
        )

    def _verdict(self, check: Check, node: Node, memo: dict[str, Any]) -> Verdict:
        for need in check.needs:
            value = self._seen[node.name][need]
            if isinstance(value, Absent) and need not in check.may_be_absent:
                return skip(f"not checked: {value.reason}")
        return check.judge(Subject(node, self.situation, self._seen, memo))
