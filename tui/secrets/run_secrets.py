"""The values of a run's secrets: from the system's keyring, else from the user, and in memory only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from agent.wire.message import message
from fleet.errors import FleetError
from fleet.secrets import Secret
from tui.secrets.saved_passwords import from_keyring, put_in_keyring

#: Asks for the value of the secret that is named; None when the user cancels or cannot be asked.
AskSecret = Callable[[str], Awaitable[str | None]]


def service_of(project: Path) -> str:
    """Return the keyring's service name for the secrets of the project in this folder."""
    return f"dtui:{project.resolve()}"


async def run_secrets(names: Sequence[str], project: Path, ask: AskSecret) -> dict[str, Secret]:
    """Return the value of each name; raises FleetError for one without a value."""
    values: dict[str, Secret] = {}
    for name in names:
        # A keyring may ask the user to unlock it: that takes as long as it takes.
        text = await asyncio.to_thread(from_keyring, service_of(project), name)
        if text is None:
            text = await ask(name)
        if text is None:
            raise FleetError(
                message("run-secrets.no-value", "the run's secret {name} has no value", name=name),
                remedy=message(
                    "run-secrets.no-value.remedy",
                    'run `keyring set "{service}" {name}`, or start the run at a terminal, where dtui asks '
                    "for the value",
                    service=service_of(project),
                    name=name,
                ),
            )
        secret = Secret(text)
        if secret.fault:
            raise FleetError(
                message(
                    "run-secrets.bad-value",
                    "the value of the secret {name} {why}",
                    name=name,
                    why=secret.fault,
                ),
                remedy=message("run-secrets.bad-value.remedy", "give {name} another value", name=name),
            )
        values[name] = secret
    return values


def keep_secret(name: str, project: Path, secret: Secret) -> str:
    """Put a secret into the system's keyring; returns what went wrong, empty if nothing. May block."""
    return put_in_keyring(service_of(project), name, secret.reveal())
