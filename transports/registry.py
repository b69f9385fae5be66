"""All transports: each package of ``transports`` that declares a ``KIND``, and ``auto``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import transports
from transports import auto, local
from transports.kind import TransportKind

if TYPE_CHECKING:
    from transports.base import Endpoint, Prompts, Transport

#: The default transport of a node, and the transport of the master.
DEFAULT_TRANSPORT: Final = auto.NAME
LOCAL_TRANSPORT: Final = local.KIND.name


def _find_kinds() -> dict[str, TransportKind]:
    """Return the transports by name, in alphabetical order; raises ValueError for a wrong declaration."""
    declared: list[TransportKind] = []
    # Without pkgutil, whose import takes longer than that of all declarations.
    for name in sorted(
        init.parent.name for path in transports.__path__ for init in Path(path).glob("*/__init__.py")
    ):
        kind = getattr(import_module(f"transports.{name}"), "KIND", None)
        if isinstance(kind, TransportKind):
            if kind.name != name:
                raise ValueError(f"transports.{name} declares a transport named {kind.name!r}")
            declared.append(kind)
    declared.append(auto.auto_kind(declared))
    return {kind.name: kind for kind in sorted(declared, key=lambda kind: kind.name)}


KINDS: Final[Mapping[str, TransportKind]] = _find_kinds()


def open_transport(
    kind: str, endpoint: Endpoint, *, known_hosts: Path, prompts: Prompts | None = None
) -> Transport:
    """Return a transport that is not connected yet; raises ValueError for an unknown ``kind``.

    ``known_hosts`` is dtui's own file of host keys, where newly trusted ones are recorded.
    """
    from transports.base import NoPrompts

    if kind not in KINDS:
        raise ValueError(f"there is no transport {kind!r}; there are {', '.join(KINDS)}")
    return KINDS[kind].create(endpoint, prompts or NoPrompts(), known_hosts)
