"""Links are opened again by themselves; a rejected password is not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent.wire.message import Message
from agent.wire.operations import OPERATIONS
from fleet.errors import NotConnected
from fleet.fleet import Fleet
from fleet.inventory import Inventory, Node, default_master
from lab.winrm import Accounts
from tests.winrm.conftest import PASSWORD, USER, Password, Serve
from transports.base import Endpoint
from transports.guarded import GuardedPrompts
from transports.questions import PASSWORD as QUESTION
from transports.questions import passphrase_of


async def test_a_fleet_sends_a_rejected_password_once(serve: Serve, tmp_path: Path) -> None:
    accounts = Accounts({USER: PASSWORD})
    server = serve(accounts=accounts)
    node = Node(
        name="gpu1",
        address=server.host,
        transport="winrm",
        port=server.port,
        user=USER,
        project="~/p",
        python=sys.executable,
    )
    inventory = Inventory(project=tmp_path, master=default_master(tmp_path), workers=(node,))
    prompts = Password("wrong")
    async with Fleet(inventory, home=tmp_path / ".dtui", prompts=prompts) as fleet:
        for _ in range(3):
            with pytest.raises(NotConnected, match="reject"):
                await fleet.link(node)
        assert (accounts.refusals, prompts.asked) == (1, 3)
        prompts.answer = PASSWORD
        link = await fleet.link(node)
        assert (await link.call(OPERATIONS["ping"], {}))["time"] > 0


async def test_a_passphrase_is_another_secret() -> None:
    endpoint = Endpoint("gpu1", user=USER)
    prompts = GuardedPrompts(Password("same"))
    assert await prompts.password(endpoint, QUESTION) == "same"
    prompts.reject(endpoint)
    assert await prompts.password(endpoint, QUESTION) is None
    assert await prompts.password(endpoint, passphrase_of("id_ed25519")) == "same"
    assert await prompts.password(Endpoint("gpu2", user=USER), QUESTION) == "same"


async def test_a_nodes_own_question_is_not_a_passphrase() -> None:
    endpoint = Endpoint("gpu1", user=USER)
    prompts = GuardedPrompts(Password("same"))
    question = Message("passphrase of id_ed25519")
    assert await prompts.password(endpoint, question) == "same"
    prompts.reject(endpoint)
    assert await prompts.password(endpoint, question) is None
