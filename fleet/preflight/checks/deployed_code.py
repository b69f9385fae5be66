"""The project's files on the nodes after a deploy."""

from __future__ import annotations

from typing import Final

from agent.wire.message import message
from fleet.preflight.check import Check, Subject, Verdict, fail, ok, skip
from fleet.preflight.checks.environment import NOT_DEPLOYED, is_untouched
from fleet.preflight.observations import CODE, CONDITIONS


def code(subject: Subject) -> Verdict:
    """Evaluate whether the deployed files are those of rank 0's node."""
    first = subject.situation.nodes[0]
    wanted, own = subject.of(first.name, CODE), subject[CODE]
    if is_untouched(subject):
        return NOT_DEPLOYED
    if wanted is None:
        return skip(message("preflight.code-unknown", "{node} did not report its files", node=first.name))
    different = sorted(path for path in wanted if own.get(path) != wanted[path])
    if not different:
        return ok(
            message(
                "preflight.code", "{count:n file}, the same as on {node}", count=len(wanted), node=first.name
            )
        )
    remedy = message("preflight.code-differs.remedy", "deploy again (dtui deploy)")
    if any(own.get(path, "missing") == "missing" for path in different):
        seen = message(
            "preflight.code-missing",
            "{count:n file} missing or different: {paths}",
            count=len(different),
            paths=different[:3],
        )
    else:
        seen = message(
            "preflight.code-differs",
            "{count:n file} different: {paths}",
            count=len(different),
            paths=different[:3],
        )
    return fail(seen, remedy)


CHECKS: Final = (
    Check("code", message("check.code", "same code"), "environment",
          message("check.code.why", "ranks with different code train different models, or hang"),
          (CONDITIONS, CODE), code, "fleet"),
)  # fmt: skip
