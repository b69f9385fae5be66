"""Asks at the terminal for the values of a run's secrets, without echo."""

from __future__ import annotations

import asyncio

from agent.wire.message import message
from fleet.inventory import Inventory
from fleet.secrets import Secret
from tui.cli.exits import UsageError
from tui.cli.output import ask_secret, ask_yes, err, is_terminal
from tui.i18n import Texts
from tui.secrets.run_secrets import keep_secret, run_secrets
from tui.secrets.saved_passwords import can_save


def asked_secrets(inventory: Inventory, texts: Texts) -> dict[str, Secret]:
    """Return the values of the run's secrets; raises UsageError and FleetError."""
    names = inventory.run.secrets
    if not names:
        return {}
    variables = {name for node in inventory.nodes for name, _ in node.env} | dict(inventory.run.env).keys()
    for name in names:
        if name in variables:
            raise UsageError(
                message(
                    "cli.secret-in-env", "{name} is a secret and also in `env` of the inventory", name=name
                ),
                message("cli.secret-in-env.remedy", "remove {name} from one of the two", name=name),
            )
    terminal = _Terminal(inventory, texts)
    values = asyncio.run(run_secrets(names, inventory.project, terminal.ask))
    terminal.offer_to_keep(values)
    return values


class _Terminal:
    def __init__(self, inventory: Inventory, texts: Texts) -> None:
        self._project = inventory.project
        self._texts = texts
        self._typed: list[str] = []

    async def ask(self, name: str) -> str | None:
        """Return what the user types; None without a terminal."""
        if not is_terminal("stdin"):
            return None
        question = self._texts.capitalized(
            message("cli.ask-secret", "value of the secret {name} (not shown)", name=name)
        )
        try:
            text = await asyncio.to_thread(ask_secret, f"{question}: ")
        except EOFError:
            return None
        self._typed.append(name)
        return text

    def offer_to_keep(self, values: dict[str, Secret]) -> None:
        """Ask whether what was typed may be kept in the system's keyring, where there is a good one."""
        if not self._typed or not can_save():
            return
        question = self._texts.capitalized(
            message("cli.keep-secrets", "keep {names} in the system's keyring?", names=self._typed)
        )
        if not ask_yes(question):
            return
        for name in self._typed:
            if fault := keep_secret(name, self._project, values[name]):
                text = message("cli.secret-not-kept", "{name} could not be kept: {why}", name=name, why=fault)
                err(self._texts.sentence(text))
