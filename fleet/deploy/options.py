"""What a deploy is asked to do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from msgspec import Struct, field

from agent.wire.message import Message
from fleet.inventory import Node
from fleet.inventory.model import EnvironmentKind
from fleet.secrets import Secret

#: Gives a node's own files: relative path -> text.
Configure = Callable[[Node], Mapping[str, str]]
#: Asks the user a question and returns whether the answer is yes.
Confirm = Callable[[Message], Awaitable[bool]]


class DeployOptions(Struct, frozen=True, kw_only=True):
    """The defaults copy the inventory's project, bring environments up to date, and write no files."""

    #: The folder on the master; None is the inventory's project.
    root: Path | None = None
    #: Overrides every node's own.
    environment: EnvironmentKind | None = None
    #: With ``existing``, overrides every node's interpreter.
    interpreter: str | None = None
    #: Optional dependencies for ``uv sync``; without any, one named ``train`` if the project has it.
    extras: tuple[str, ...] = ()
    configure: Configure | None = None
    #: Run the setup commands although nothing has changed.
    setup: bool = False
    #: Values of the run's secrets by variable: for the installation and the setup commands.
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    #: Asks the user whether to replace another project's files; None refuses.
    confirm: Confirm | None = None
    #: Nodes at the same time.
    parallel: int = 16
    #: Bytes of prepared contents kept for nodes that need them later.
    cache: int = 64 << 20
