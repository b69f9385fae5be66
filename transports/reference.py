"""The table of transports in ``docs/transports.md`` and its Korean twin, made from the declarations.

``scripts/transports_reference.py`` updates the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.wire.message import Message, message
from transports.kind import Setting, TransportKind
from transports.registry import KINDS

BEGIN = "<!-- transports: made by `python scripts/transports_reference.py` -->"
END = "<!-- end of transports -->"

_HEAD = message("transport.table-head", "| `transport:` | connection | default ports | login | options |")
_LOGIN: Mapping[Setting, Message] = {
    "user": message("transport.login-user", "user"),
    "identity": message("transport.login-identity", "key file"),
    "password": message("transport.login-password", "password"),
    "host-key": message("transport.login-host-key", "checks the host key"),
}
_NONE = "-"


def reference(translate: Callable[[Message], str] = str) -> str:
    """Return the Markdown table of all transports."""
    lines = [translate(_HEAD), "|---|---|---|---|---|"]
    for kind in KINDS.values():
        cells = (
            f"`{kind.name}`",
            translate(kind.summary),
            _ports(kind),
            _login(kind, translate),
            _options(kind),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_reference(page: str, translate: Callable[[Message], str] = str) -> str:
    """Return the page with the table between its two marks; raises ValueError when there are none."""
    before, after = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:before]}\n{reference(translate)}\n{page[after:]}"


def _ports(kind: TransportKind) -> str:
    services = [service for one in kind.members if one.check is not None for service in one.check.services]
    return _joined(
        f"{service.port} ({service.scheme})" if service.scheme else str(service.port) for service in services
    )


def _login(kind: TransportKind, translate: Callable[[Message], str]) -> str:
    return _joined(translate(label) for setting, label in _LOGIN.items() if setting in kind.uses)


def _options(kind: TransportKind) -> str:
    return _joined(
        f"`{one.name}: {{{', '.join(option.name for option in one.options)}}}`"
        for one in kind.members
        if one.options
    )


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words) or _NONE
