"""Passwords in the system's keyring are found before anybody is asked, in the console and in a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from transports.base import Endpoint
from tui.cli.prompts import TerminalPrompts
from tui.kept_passwords import kept_password
from tui.prompts import Questions

NODE = Endpoint("192.168.1.101", port=22, user="kim")


class Store(KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.passwords = {("dtui", "kim@192.168.1.101:22"): "s3cret"}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.passwords[service, username]


@pytest.fixture
def store() -> Iterator[Store]:
    before, store = keyring.get_keyring(), Store()
    keyring.set_keyring(store)
    yield store
    keyring.set_keyring(before)


async def asked(questions: Questions, endpoint: Endpoint, reason: str, answer: str) -> str | None:
    """Return what comes of a question that has to be shown on the screen."""
    task = asyncio.create_task(questions.password(endpoint, reason))
    async with asyncio.timeout(20):
        while (question := questions.next()) is None:
            assert not task.done()
            await asyncio.sleep(0)
    assert (question.endpoint, question.reason) == (endpoint, reason)
    question.answer(answer)
    return await task


async def test_a_kept_password_is_not_asked_for(store: Store):
    questions = Questions(kept_password)
    assert await questions.password(NODE, "password") == "s3cret"
    assert await questions.password(NODE, "password (WinRM)") == "s3cret"
    assert questions.next() is None
    assert await TerminalPrompts().password(NODE, "password") == "s3cret"


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (Endpoint("192.168.1.102", port=22, user="kim"), "password"),
        (NODE, "passphrase of id_ed25519"),
        (NODE, "the node rejected the last password"),
    ],
)
async def test_what_is_not_kept_or_was_rejected_is_asked(store: Store, endpoint: Endpoint, reason: str):
    assert await asked(Questions(kept_password), endpoint, reason, "typed") == "typed"


async def test_a_locked_keyring_is_none(store: Store):
    store.locked = True
    assert await asked(Questions(kept_password), NODE, "password", "typed") == "typed"
