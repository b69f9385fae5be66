"""The errors of nodes in the answers to one request to all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from fleet.errors import FleetError
from tui.cli.errors import ErrorData, error_data, failure_text
from tui.cli.narrate import GLYPHS
from tui.cli.output import err
from tui.i18n import Texts


class NodeAnswer(Protocol):
    """What one node answered, or its error."""

    @property
    def node(self) -> str:
        """The node's name."""

    @property
    def error(self) -> FleetError | None:
        """Why the node did not answer."""


def errors_by_node(answers: Iterable[NodeAnswer]) -> dict[str, ErrorData]:
    """Return node -> error as JSON data, for the nodes that failed."""
    return {answer.node: error_data(answer.error) for answer in answers if answer.error is not None}


def print_errors(answers: Iterable[NodeAnswer], texts: Texts) -> None:
    """Print the error of each node that failed."""
    for answer in answers:
        if answer.error is not None:
            text = failure_text(answer.node, answer.error.what, answer.error.remedy, texts)
            err(f"{GLYPHS['fail']} {text}")
