"""``python -m tui.operations.run_controller HOME``: the process of the run controller (fleet.controller)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from agent.wire.message import Message
from fleet.controller.client import ControllerKeeper
from transports.base import Endpoint, HostKey
from tui.internal_errors import InternalErrors, install
from tui.secrets.saved_passwords import saved_password


class GivenPasswords:
    """Answers with the passwords that clients gave, and with those in the keyring; does not ask the user."""

    def __init__(self, given: Mapping[Endpoint, str]) -> None:
        self._given = given

    async def password(self, endpoint: Endpoint, reason: Message) -> str | None:
        """Return the password of the endpoint, None without one."""
        if endpoint in self._given:
            return self._given[endpoint]
        return await saved_password(endpoint, reason)

    async def trust_host_key(self, key: HostKey) -> bool:
        """Return False: only the user can compare a fingerprint."""
        return False


def controller_keeper() -> ControllerKeeper:
    """Return what hands runs over to the project's controller."""
    return ControllerKeeper(_command, version("dtui"))


def _command(home: Path) -> Sequence[str]:
    # -P: a package `tui` in the folder must not be imported instead of ours.
    return (sys.executable, "-P", "-m", "tui.operations.run_controller", str(home))


def main(words: Sequence[str]) -> int:
    """Keep the project's runs until there has been nothing to do for a while."""
    from fleet.controller.server import Controller

    home = Path(words[0])
    install(InternalErrors(home.parent), lambda text: None)
    asyncio.run(Controller(home, version=version("dtui"), make_prompts=GivenPasswords).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
