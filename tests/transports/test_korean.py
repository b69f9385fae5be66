"""What transports report, in Korean."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.wire.message import message
from tests.support.ports import free_port
from transports.auto.transport import AutoTransport, MethodFailure
from transports.base import Endpoint
from transports.errors import TransportError
from transports.local.transport import LocalTransport
from transports.questions import passphrase_of
from transports.registry import KINDS
from tui.i18n import Texts


@pytest.fixture
def korean() -> Texts:
    return Texts("ko")


async def test_the_errors_of_all_methods(tmp_path: Path, korean: Texts) -> None:
    endpoint = Endpoint("127.0.0.1", free_port(), "kim")
    with pytest.raises(TransportError) as caught:
        await AutoTransport(
            endpoint, kinds=KINDS["auto"].tries, known_hosts=tmp_path / "known_hosts"
        ).connect()
    port = endpoint.port
    assert korean.translate(caught.value.what) == (
        "연결 방법이 모두 실패했습니다 ("
        "ssh 연결: 연결이 거부되었습니다. 이 포트에서 수신 대기 중인 프로그램이 없습니다. "
        f"winrm (https) 연결: 포트 {port}에서 수신 대기 중인 프로그램이 없습니다. "
        f"winrm (http) 연결: 포트 {port}에서 수신 대기 중인 프로그램이 없습니다)"
    )
    assert korean.translate(caught.value.remedy) != caught.value.remedy


async def test_an_error_of_the_system_within_an_error(korean: Texts) -> None:
    with pytest.raises(TransportError) as caught:
        await LocalTransport(Endpoint("localhost")).open(["/no/python"])
    assert korean.translate(caught.value.what) == "/no/python을 시작할 수 없습니다: 파일이나 폴더가 없습니다"


def test_the_chosen_method(tmp_path: Path, korean: Texts) -> None:
    transport = AutoTransport(
        Endpoint("gpu1"), kinds=KINDS["auto"].tries, known_hosts=tmp_path / "known_hosts"
    )
    transport.chosen = "winrm (https)"
    assert korean.translate(transport.method) == "winrm (https)"
    refused = message("winrm.refused", "no program listens on port {port}", port=22)
    transport.failures = (MethodFailure("ssh", TransportError(refused)),)
    assert korean.translate(transport.method) == (
        "winrm (https). 다른 연결 방법은 실패했습니다 "
        "(ssh 연결: 포트 22에서 수신 대기 중인 프로그램이 없습니다)"
    )


def test_a_question(korean: Texts) -> None:
    assert korean.translate(passphrase_of("~/.ssh/id_rsa")) == "~/.ssh/id_rsa의 키 암호(passphrase)"
