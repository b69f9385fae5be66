"""Passwords in the system's keyring are found before anybody is asked, in the console and in a terminal."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailKeyring
from keyring.errors import KeyringLocked
from textual.pilot import Pilot

from agent.wire.message import message
from fleet.events import Event, LinkChanged
from tests.console.driving import settled, text_of, until
from tests.console.fakes import Recorded, console
from transports.base import Endpoint
from tui.app import ConsoleApp
from tui.cli.prompts import TerminalConfirmation, TerminalPrompts
from tui.dialogs.confirm import ConfirmScreen
from tui.dialogs.questions import Questions
from tui.i18n import Texts
from tui.operations.interface import NodeCard
from tui.secrets.saved_passwords import saved_password

NODE = Endpoint("192.168.1.101", port=22, user="kim")


QUESTION = message("test.question", "{folder} has another project. Continue?", folder="/srv/a")


@pytest.mark.parametrize(("key", "yes"), [("y", True), ("n", False), ("escape", False)])
async def test_a_deploys_question_is_asked_on_the_screen(key: str, yes: bool) -> None:
    app = console("nodes_busy", "deploy")
    async with app.run_test(size=(100, 30)) as pilot:
        answer = asyncio.create_task(app.questions.confirmed(QUESTION))
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await until(pilot, lambda: "/srv/a has another project. Continue?" in text_of(app))
        await pilot.press(key)
        assert await answer is yes


@pytest.mark.parametrize(("typed", "yes"), [("yes\n", True), ("y\n", False), ("\n", False), ("", False)])
async def test_in_a_terminal_only_a_spelled_out_yes_counts(
    typed: str, yes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert await TerminalConfirmation(Texts("en")).ask(QUESTION) is yes
    assert "/srv/a has another project. Continue? [yes/NO]" in capsys.readouterr().err


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


class FileStore(Store):
    """One that the library does not recommend: it keeps a file of its own."""

    priority = 0.5  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        return None


@pytest.fixture
def store() -> Iterator[Store]:
    before, store = keyring.get_keyring(), Store()
    keyring.set_keyring(store)
    yield store
    keyring.set_keyring(before)


async def asked(questions: Questions, endpoint: Endpoint, reason: str, answer: str) -> str | None:
    """Return what comes of a question that has to be shown on the screen."""
    task = asyncio.create_task(questions.password(endpoint, reason))
    async with asyncio.timeout(120):
        while (question := questions.next()) is None:
            assert not task.done()
            await asyncio.sleep(0)
    assert (question.endpoint, question.reason) == (endpoint, reason)
    question.answer(answer)
    return await task


async def test_a_kept_password_is_not_asked_for(store: Store):
    questions = Questions(saved_password)
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
    assert await asked(Questions(saved_password), endpoint, reason, "typed") == "typed"


class Asking(Recorded):
    """One node that wants a password."""

    questions: Questions

    async def watch(self) -> AsyncIterator[Event]:
        yield LinkChanged(node="a", at=time.time(), state="connecting")
        answer = await self.questions.password(NODE, "password")
        state = "up" if answer == "right" else "failed"
        yield LinkChanged(node="a", at=time.time(), state=state, detail="no such password")
        await asyncio.Event().wait()


async def type_password(pilot: Pilot[None], typed: str, then: str) -> None:
    """Answer the question for the node's password, and wait until ``then`` is on the screen."""
    await until(pilot, lambda: "Log in to kim@192.168.1.101:22" in text_of(pilot.app))
    await pilot.press(*typed, "enter")
    await until(pilot, lambda: then in text_of(pilot.app))


def asking(lang: str = "en") -> ConsoleApp:
    operations, questions = Asking([NodeCard("a", NODE.host)]), Questions(saved_password)
    operations.questions = questions
    return console(operations=operations, questions=questions, lang=lang)


@pytest.mark.parametrize(("answer", "kept"), [("enter", None), ("y", "right")])
async def test_a_typed_password_that_was_right_is_kept_when_the_person_says_so(
    store: Store, answer: str, kept: str | None
):
    store.passwords.clear()
    app = asking()
    async with app.run_test(size=(120, 40)) as pilot:
        await type_password(pilot, "right", "Save the password for kim@192.168.1.101:22?")
        assert "right" not in text_of(app)
        await pilot.press(answer)
        await until(pilot, lambda: not isinstance(app.screen, ConfirmScreen))
        await app.workers.wait_for_complete()
        assert store.passwords.get(("dtui", "kim@192.168.1.101:22")) == kept
        assert "right" not in repr(vars(app.questions))


async def test_a_password_that_was_wrong_is_not_offered_to_be_kept(store: Store):
    store.passwords.clear()
    app = asking()
    async with app.run_test(size=(120, 40)) as pilot:
        await type_password(pilot, "wrong", "no such password")
        await settled(pilot)
        assert "Remember" not in text_of(app)
        assert "wrong" not in repr(vars(app.questions))


@pytest.mark.parametrize("backend", [FailKeyring, FileStore])
async def test_without_a_keyring_of_the_system_nothing_is_offered(
    store: Store, backend: type[KeyringBackend]
):
    # The fixture puts back what there was before.
    keyring.set_keyring(backend())
    app = asking()
    async with app.run_test(size=(120, 40)) as pilot:
        await type_password(pilot, "right", "1/1 up")
        await settled(pilot)
        assert "Remember" not in text_of(app)


async def test_a_locked_keyring_is_none(store: Store):
    store.locked = True
    assert await asked(Questions(saved_password), NODE, "password", "typed") == "typed"
