"""Variables that differ between nodes, or that the shell of dtui has and the ranks will not get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.wire.known_variables import is_known, may_be_secret
from agent.wire.message import Message, from_data, message
from agent.wire.text import quote
from fleet.facts import NodeFacts
from fleet.inventory.yaml_text import value as yaml_value
from fleet.nodeset import fold
from fleet.plan.model import NodePlan
from fleet.secrets import is_secret_name

#: Longer lists are cut: the rest is found by setting those first.
_MOST = 12
#: Characters of a name or value that is shown.
_LONGEST = 200
_NOT_SET = object()


def variable_notes(
    parts: Sequence[NodePlan],
    facts: Mapping[str, NodeFacts],
    secrets: Sequence[str],
    shell: Mapping[str, str],
) -> list[Message]:
    """Return warnings about the variables of agent.wire.known_variables that the run itself does not set.

    ``shell`` are the variables of dtui's own process, which no rank gets.
    """
    notes = [
        message("plan.login-problem", "{node}: {problem}", node=part.node, problem=from_data(problem))
        for part in parts
        if (problem := facts[part.node]["login_problem"]) is not None
    ]
    names = sorted({name for part in parts for name in facts[part.node]["login"] if _is_plain(name)})
    differing = [name for name in names if len(set(_values(name, parts, facts, secrets).values())) > 1]
    notes += [_differs(name, _values(name, parts, facts, secrets)) for name in differing[:_MOST]]
    lost = {
        name: value
        for name, value in sorted(shell.items())
        if value and is_known(name) and not _arrives(name, value, parts, facts, secrets)
    }
    plain = {name: value for name, value in lost.items() if not _is_secret(name, value)}
    if plain:
        lines = {name: value.replace("$", "$$") for name, value in list(plain.items())[:_MOST]}
        notes.append(
            message(
                "plan.shell-variables",
                "this shell sets {names}, which no rank gets from it; to set them on every node, write "
                "`env: {line}` under `run` in nodes.yaml",
                names=list(lines),
                line=yaml_value(lines),
            )
        )
    hidden = [name for name in lost if name not in plain][:_MOST]
    if hidden:
        notes.append(
            message(
                "plan.shell-secrets",
                "this shell sets {names}, which no rank gets from it; to set them on every node, write "
                "`secrets: {line}` under `run` in nodes.yaml",
                names=hidden,
                line=yaml_value(hidden),
            )
        )
    return notes


def _is_plain(name: str) -> bool:
    """Return whether a name that a node reports is one of the known variables."""
    return len(name) <= _LONGEST and name.isascii() and name.isidentifier() and is_known(name)


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) or may_be_secret(name, value)


def _values(
    name: str, parts: Sequence[NodePlan], facts: Mapping[str, NodeFacts], secrets: Sequence[str]
) -> dict[str, object]:
    """Return the login's value by node, for the nodes on which the run does not set the variable.

    None is a value that the node keeps to itself.
    """
    if name in secrets:
        return {}
    return {
        part.node: facts[part.node]["login"].get(name, _NOT_SET)
        for part in parts
        if name not in part.variables and name not in part.processes[0].env
    }


def _arrives(
    name: str,
    value: str,
    parts: Sequence[NodePlan],
    facts: Mapping[str, NodeFacts],
    secrets: Sequence[str],
) -> bool:
    """Return whether every rank has the shell's value, or one that the run sets."""
    hidden = may_be_secret(name, value)
    return all(
        found == value or (hidden and found is None)
        for found in _values(name, parts, facts, secrets).values()
    )


def _differs(name: str, values: Mapping[str, object]) -> Message:
    nodes: dict[object, list[str]] = {}
    for node, value in values.items():
        nodes.setdefault(value, []).append(node)
    return message(
        "plan.variable-differs",
        "the nodes' logins set {name} differently: {found:; }. To set it on every node, write it as `env` "
        "under `run` in nodes.yaml",
        name=name,
        found=[_found(value, fold(names)) for value, names in nodes.items()],
    )


def _found(value: object, nodes: str) -> Message:
    if value is _NOT_SET:
        return message("plan.variable-not-set", "not set on {nodes}", nodes=nodes)
    if value is None:
        return message("plan.variable-hidden", "set on {nodes}", nodes=nodes)
    return message(
        "plan.variable-value", "{value} on {nodes}", value=quote(str(value)[:_LONGEST]), nodes=nodes
    )
