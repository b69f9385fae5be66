"""Collects observations and judges each check as soon as what it needs is there. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._seen.setdefault(node, {})[observation] = value
        return self._judge(lambda check: observation in check.needs)

    def settle(self, reason: str) -> list[CheckFinished]:
        """Return a result for every cell that has none yet: what is missing will not come."""
        wanted = {need for check in self._checks for need in check.needs}
        for observations in self._seen.values():
            for name in wanted - observations.keys():
                observations[name] = Absent(reason)
        return self._judge(lambda check: True)

    def _judge(self, touched: Callable[[Check], bool]) -> list[CheckFinished]:
        results = []
        for check in self._checks:
            if not touched(check):
                continue
            for node in self._rows:
                if (node.name, check.name) not in self._done and self._ready(check, node.name):
                    self._done.add((node.name, check.name))
                    results.append(self._result(check, node))
        return results

    def _ready(self, check: Check, node: str) -> bool:
        concerned = [node] if check.scope == "node" else list(self._seen)
        return all(need in self._seen[name] for name in concerned for need in check.needs)

    def _result(self, check: Check, node: Node) -> CheckFinished:
        verdict = self._verdict(check, node)
        return CheckFinished(
            node=node.name,
            at=self._clock(),
            check=check.name,
            status=verdict.status,
            seen=verdict.seen,
            why=check.why,
            remedy=verdict.remedy,
        )

    def _verdict(self, check: Check, node: Node) -> Verdict:
        for need in check.needs:
            value = self._seen[node.name][need]
            if isinstance(value, Absent):
                return skip(f"not checked: {value.reason}")
        return check.judge(Subject(node, self.situation, self._seen))
