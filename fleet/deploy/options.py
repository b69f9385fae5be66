"""What a deploy is asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.frozen import frozen
from fleet.inventory import Node
from fleet.inventory.model import EnvironmentKind

#: Gives a node's own files: relative path -> text.
Configure = Callable[[Node], Mapping[str, str]]


@frozen(kw_only=True)
class DeployOptions:
    """The defaults copy the inventory's project, bring environments up to date, and write no files."""

    #: The folder on the master; None is the inventory's project.
    root: Path | None = None
    #: Only show what would change: nothing is written on any node.
    dry_run: bool = False
    #: Take files and environment as an earlier deploy left them; only configure.
    skip_deploy: bool = False
    #: Overrides every node's own.
    environment: EnvironmentKind | None = None
    #: With ``existing``, overrides every node's interpreter.
    interpreter: str | None = None
    #: Optional dependencies for ``uv sync``; without any, one named ``train`` if the project has it.
    extras: tuple[str, ...] = ()
    configure: Configure | None = None
    #: Nodes at the same time.
    parallel: int = 16
    #: Bytes of prepared contents kept for nodes that come later to them.
    cache: int = 64 << 20
