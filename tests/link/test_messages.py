"""What the link to an agent reports: messages, with the transport's own within them."""

from __future__ import annotations

import asyncio

import pytest

from agent.wire.frames import PROTOCOL, Done, Header, Hello, encode
from agent.wire.message import Message, message
from fleet.errors import LinkLost
from fleet.link.client import AgentClient
from transports.base import READ_SIZE, Channel
from transports.errors import ChannelLost
from tui.i18n import Texts

HELLO = Hello(PROTOCOL, "", 1, "3.12.0", "python", "linux", "gpu1")


class Scripted(Channel):
    """Sends ``frames``, then raises ``error`` or ends with ``status``."""

    def __init__(
        self, *frames: Header, error: Exception | None = None, status: int | None = None, stderr: bytes = b""
    ) -> None:
        self.waiting = [encode(frame) for frame in frames]
        self.error = error
        self.status = status
        self.errors = stderr

    async def read(self, limit: int = READ_SIZE) -> bytes:
        await asyncio.sleep(0)
        if self.waiting:
            return self.waiting.pop(0)
        if self.error is not None:
            raise self.error
        return b""

    async def write(self, data: bytes) -> None:
        await asyncio.sleep(0)

    async def write_eof(self) -> None: ...

    async def wait(self) -> int | None:
        return self.status

    def stderr(self) -> bytes:
        return self.errors

    async def close(self) -> None: ...


async def lost(channel: Scripted) -> LinkLost:
    with pytest.raises(LinkLost) as caught:
        await AgentClient.open(channel, node="gpu1")
    assert isinstance(caught.value.what, Message)
    return caught.value


async def test_a_broken_transport_passes_on_its_error_and_remedy() -> None:
    what = message("winrm.new-login", "the node requested a new login")
    remedy = message("winrm.outage.remedy", "check that the node is on and its network works")
    found = await lost(Scripted(error=ChannelLost(what, where="kim@gpu1:5985", remedy=remedy)))
    assert (found.what, found.remedy) == (what, remedy)
    assert str(found).count("gpu1") == 1


async def test_an_error_of_the_system_is_a_message_too() -> None:
    found = await lost(Scripted(error=BrokenPipeError(32, "Broken pipe")))
    assert found.what == "the connection broke: the other side closed the connection"
    assert Texts("ko").translate(found.what) == "연결이 끊겼습니다: 상대가 연결을 끊었습니다"


@pytest.mark.parametrize(
    ("frames", "english", "korean"),
    [
        (
            [Done(7, None)],
            "it sent a done frame before its hello",
            "시작 메시지(hello)보다 먼저 done 프레임을 보냈습니다",
        ),
        (
            [HELLO._replace(protocol=1)],
            "its protocol version is 1, not 2",
            "프로토콜 버전이 2가 아니라 1입니다",
        ),
    ],
)
async def test_the_rule_that_an_agent_broke(frames: list[Header], english: str, korean: str) -> None:
    found = await lost(Scripted(*frames))
    assert found.what == f"the agent does not follow the protocol: {english}"
    assert Texts("ko").translate(found.what) == f"에이전트가 프로토콜을 따르지 않습니다: {korean}"


async def test_the_end_of_an_agent_has_its_status_and_its_output() -> None:
    found = await lost(Scripted(status=3, stderr=b"Killed: no connection\n"))
    assert found.what == "the agent ended with status 3, output: 'Killed: no connection'"
    assert Texts("ko").translate(found.what) == (
        "에이전트가 상태 3으로 종료되었습니다. 출력: 'Killed: no connection'"
    )
