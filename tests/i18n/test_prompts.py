"""The questions of a connection at the terminal, in Korean."""

from __future__ import annotations

import pytest

from agent.wire.message import Message
from transports.base import Endpoint, HostKey
from transports.questions import passphrase_of
from transports.winrm.pins import ALGORITHM
from tui.cli import output, prompts
from tui.i18n import Texts

NODE = Endpoint("gpu1", 22, "kim")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer every question, and return those that were asked."""
    shown: list[str] = []

    def answer(question: str) -> str:
        shown.append(question)
        return "yes"

    monkeypatch.setattr(prompts, "is_terminal", lambda stream: True)
    monkeypatch.setattr(output, "ask", answer)
    monkeypatch.setattr(prompts, "ask_secret", answer)
    return shown


async def test_a_passphrase(asked: list[str]) -> None:
    await prompts.TerminalPrompts(Texts("ko")).password(NODE, passphrase_of("id_rsa"))
    assert asked == ["kim@gpu1:22: id_rsa의 키 암호(passphrase): "]


async def test_a_nodes_own_question_is_shown_as_it_is(asked: list[str]) -> None:
    await prompts.TerminalPrompts(Texts("ko")).password(NODE, Message("Token of the day"))
    assert asked == ["kim@gpu1:22: Token of the day: "]


@pytest.mark.parametrize(
    ("algorithm", "shown"), [(Message("ssh-ed25519"), "ssh-ed25519"), (ALGORITHM, "TLS 인증서")]
)
async def test_a_host_key(asked: list[str], algorithm: Message, shown: str) -> None:
    assert await prompts.TerminalPrompts(Texts("ko")).trust_host_key(
        HostKey("gpu1", 22, algorithm, "SHA256:x")
    )
    assert asked == [
        f"gpu1:22: 아직 기록되지 않은 호스트 키입니다:\n  {shown} SHA256:x\n"
        "그 컴퓨터에서 worker_setup.ps1이 출력한 지문과 비교하세요. 신뢰할까요? [yes/NO] "
    ]
