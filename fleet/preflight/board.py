"""Collects observations, and evaluates each check once its observations are complete. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agent.wire.message import Message, message
from fleet.events import CheckFinished
from fleet.inventory import Node
from fleet.preflight.check import Check, Situation, Subject, Verdict, fail, skip
from fleet.preflight.observations import Absent, AnyObservation, Observation, ObservationStore, T, absent


class Board:
    """The matrix of ``checks`` and ``rows`` (nodes) while it fills.

    Observations of all nodes of the situation are used; only ``rows`` get results.
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
        #: All observations so far.
        self.seen = ObservationStore(
            tuple(dict.fromkeys(node.name for node in (*situation.nodes, *self._rows)))
        )
        self._done: set[tuple[str, str]] = set()

    def put(self, node: str, observation: Observation[T], value: T | Absent) -> list[CheckFinished]:
        """Store an observation; return the results that it completes, in the order of the columns."""
        self.seen.put(node, observation, value)
        return self._evaluate_with(node, observation)

    def miss(self, node: str, observation: AnyObservation, reason: Absent) -> list[CheckFinished]:
        """Store the absence of an observation; return the results that it completes."""
        self.seen.miss(node, observation, reason)
        return self._evaluate_with(node, observation)

    def settle(self, reason: Message) -> list[CheckFinished]:
        """Return a result for every cell that has none yet: no observation will follow."""
        wanted = {need for check in self._checks for need in check.needs}
        for name in self.seen.nodes:
            for observation in wanted:
                if not self.seen.has(name, observation):
                    self.seen.miss(name, observation, Absent(reason))
        return self._evaluate((check, row) for check in self._checks for row in self._rows)

    def _evaluate_with(self, node: str, observation: AnyObservation) -> list[CheckFinished]:
        observed_everywhere = all(self.seen.has(name, observation) for name in self.seen.nodes)
        return self._evaluate(
            (check, row)
            for check in self._checks
            if observation in check.needs and (check.scope == "node" or observed_everywhere)
            for row in self._rows
            if check.scope != "node" or row.name == node
        )

    def _evaluate(self, cells: Iterable[tuple[Check, Node]]) -> list[CheckFinished]:
        """Return the results of those cells that have none yet and whose observations are complete."""
        memo: dict[object, object] = {}
        ready: dict[str, bool] = {}
        results = []
        for check, node in cells:
            if (node.name, check.name) in self._done:
                continue
            if check.scope == "node":
                complete = self._complete(check, [node.name])
            else:
                if check.name not in ready:
                    ready[check.name] = self._complete(check, self.seen.nodes)
                complete = ready[check.name]
            if complete:
                self._done.add((node.name, check.name))
                results.append(self._result(check, node, memo))
        return results

    def _complete(self, check: Check, nodes: Iterable[str]) -> bool:
        return all(self.seen.has(name, need) for name in nodes for need in check.needs)

    def _result(self, check: Check, node: Node, memo: dict[object, object]) -> CheckFinished:
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

    def _verdict(self, check: Check, node: Node, memo: dict[object, object]) -> Verdict:
        for need in check.needs:
            missing = self.seen.absent(node.name, need)
            if missing is not None and missing.internal:
                return _failure(missing)
            if missing is not None and need not in check.may_be_absent:
                return skip(message("preflight.not-checked", "not checked: {reason}", reason=missing.reason))
        try:
            return check.evaluate(Subject(node, self.situation, self.seen, memo))
        except Exception as error:  # noqa: BLE001 -- the other cells are evaluated
            step = message("preflight.step-check", "the check `{check}`", check=check.name)
            return _failure(absent(error, step))


def _failure(missing: Absent) -> Verdict:
    return fail(missing.reason, missing.remedy)
