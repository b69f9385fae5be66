"""Each fault of a WinRM service is permanent or transient, is explained, and leaves no shell on the node."""

from __future__ import annotations

import asyncio
import http.server
import json
import re
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NotRequired, TypedDict

import pytest

from lab.winrm import Injection, Quotas, WinRMServer
from lab.winrm.fault_injection import Kind
from lab.winrm.faults import Fault
from tests.winrm.conftest import HOST, PASSWORD, USER, Connect, Password, Serve
from transports.base import Endpoint
from transports.errors import AuthenticationFailed, ChannelLost, ServiceRefused, TransportError
from transports.winrm.connection import Timeouts
from transports.winrm.faults import TABLE
from transports.winrm.faults import Fault as Answered
from transports.winrm.transport import WinRMTransport

PYTHON = sys.executable
ECHO = [PYTHON, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper())"]
#: Every answer comes, so that only a machine that is too busy would reach these.
PATIENT = Timeouts(operation=60, answer=300, outage=600.0, opening=600.0, pause=0.02, longest_pause=0.2)
#: The same, with an outage that a lasting fault of a Receive exceeds.
IMPATIENT = replace(PATIENT, outage=0.3)


class Case(TypedDict):
    """A fault as a service answers it to a request, and what dtui makes of it."""

    at: str
    code: int | None
    subcode: str
    name: NotRequired[str]
    wmi: NotRequired[bool]
    text: str
    effect: str
    says: str
    remedy: str


#: Faults of real services.
CASES: list[Case] = json.loads((Path(__file__).parent / "faults.json").read_text("utf-8"))
OPENING = [case for case in CASES if case["at"] != "Receive"]
RECEIVING = [case for case in CASES if case["at"] == "Receive"]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Make transports that wait for a busy machine."""
    made: list[WinRMTransport] = []

    def make(server: WinRMServer, timeouts: Timeouts = PATIENT) -> WinRMTransport:
        endpoint = Endpoint(server.host, server.port, USER)
        transport = WinRMTransport(endpoint, Password(PASSWORD), timeouts=timeouts, reach=120)
        made.append(transport)
        return transport

    yield make
    for transport in made:
        await transport.close()


def name_of(case: Case) -> str:
    return f"{case['at']}-{case['code']}-{case['subcode']}"


def injection(case: Case, times: int) -> Injection:
    def fault() -> Fault:
        return Fault(
            case["code"],
            case["subcode"],
            case["text"],
            name=case.get("name", "s:Receiver"),
            wmi=case.get("wmi", False),
        )

    return Injection(case["at"], "fault", fault=fault, times=times)


async def ask(transport: WinRMTransport) -> bytes:
    channel = await transport.open(ECHO)
    await channel.write(b"works")
    await channel.write_eof()
    answer = b""
    while part := await channel.read():
        answer += part
    await channel.close()
    return answer


@pytest.mark.parametrize("case", OPENING, ids=name_of)
async def test_a_fault_that_lasts_is_explained(serve: Serve, connect: Connect, case: Case) -> None:
    server = serve()
    server.injector.inject(injection(case, times=99))
    with pytest.raises(TransportError) as caught:
        await connect(server).open(ECHO)
    assert re.search(case["says"], caught.value.what)
    assert re.search(case["remedy"], caught.value.remedy)
    assert case["text"].rstrip(".") in caught.value.what or case["code"] in (2150858793, 2150858824)
    assert "LocalAccountTokenFilterPolicy" not in str(caught.value)
    assert caught.value.transient == (case["effect"] == "transient")
    assert server.injector.seen(case["at"]) == (3 if case["effect"] == "transient" else 1)
    assert server.service.shells == 0


@pytest.mark.parametrize("case", [case for case in OPENING if case["effect"] == "transient"], ids=name_of)
async def test_a_fault_that_passes_is_overcome(serve: Serve, connect: Connect, case: Case) -> None:
    server = serve()
    server.injector.inject(injection(case, times=2))
    assert await ask(connect(server)) == b"WORKS"
    assert server.service.shells == 0


@pytest.mark.parametrize("case", RECEIVING, ids=name_of)
async def test_a_fault_of_a_running_command_ends_its_channel(
    serve: Serve, connect: Connect, case: Case
) -> None:
    server = serve()
    channel = await connect(server, timeouts=IMPATIENT).open(ECHO)
    server.injector.inject(injection(case, times=9999))
    with pytest.raises(TransportError) as caught:
        await channel.read()
    said = case["says"].strip("^$") if case["effect"] != "permanent" else case["says"]
    assert re.search(said, caught.value.what)
    assert re.search(case["remedy"], caught.value.remedy)
    assert caught.value.transient == (case["effect"] != "permanent")
    await channel.close()
    assert server.service.shells == 0


async def test_a_fault_of_a_running_command_that_passes_loses_nothing(serve: Serve, connect: Connect) -> None:
    server = serve()
    quota = next(case for case in RECEIVING if case["effect"] == "transient")
    channel = await connect(server).open(ECHO)
    server.injector.inject(injection(quota, times=3))
    await channel.write(b"works")
    await channel.write_eof()
    assert await channel.read() == b"WORKS"


def test_every_row_is_the_answer_to_its_faults() -> None:
    """No row hides another."""
    for row in TABLE:
        text = "remote shell" if row.text else "any text"
        for at in row.at:
            for code in row.codes:
                assert Answered(code, "InternalError", "Receiver", text, at).meaning is row
                hresult = 0x80070000 | code
                if code < 0x10000:
                    assert Answered(hresult, "InternalError", "Receiver", text, at).meaning is row
            for name in row.names:
                assert Answered(None, name, "Receiver", text, at).meaning is row


class TestAccessDenied:
    """Windows says it in its own language, so that the node's config decides what it means."""

    DENIED = Injection(
        "Create", "fault", fault=lambda: Fault(5, "w:AccessDenied", "액세스가 거부되었습니다.")
    )

    async def test_with_remote_shells_switched_off(self, serve: Serve, connect: Connect) -> None:
        server = serve(quotas=Quotas(allow_remote_shells=False))
        server.injector.inject(self.DENIED)
        with pytest.raises(ServiceRefused, match="does not allow remote shells") as caught:
            await connect(server).open(ECHO)
        assert not caught.value.transient

    async def test_to_an_administrator(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        server.injector.inject(Injection("Create", "fault", fault=self.DENIED.fault))
        with pytest.raises(ServiceRefused, match="RootSDDL") as caught:
            await connect(server).open(ECHO)
        assert "LocalAccountTokenFilterPolicy" not in str(caught.value)

    async def test_to_an_account_that_may_not_read_the_config(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        for action in ("Get", "Create"):
            server.injector.inject(Injection(action, "fault", fault=self.DENIED.fault))
        with pytest.raises(AuthenticationFailed, match="LocalAccountTokenFilterPolicy"):
            await connect(server).open(ECHO)

    async def test_the_lab_answers_as_windows_does(self, serve: Serve, connect: Connect) -> None:
        with pytest.raises(ServiceRefused, match="Allow Remote Shell Access"):
            await connect(serve(quotas=Quotas(allow_remote_shells=False))).open(ECHO)


class TestHttp:
    async def test_an_empty_answer(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        server.injector.inject(Injection("Create", "status", status=200, times=99))
        with pytest.raises(TransportError, match="the answer is empty") as caught:
            await connect(server).open(ECHO)
        assert caught.value.transient
        assert "proxy" in caught.value.remedy
        assert server.injector.seen("Create") == 3

    @pytest.mark.parametrize(
        ("status", "words"),
        [(400, "cannot read the request"), (403, "forbids"), (404, "no WinRM answers"), (405, "no WinRM")],
    )
    async def test_a_status_that_no_second_try_changes(
        self, serve: Serve, connect: Connect, status: int, words: str
    ) -> None:
        server = serve()
        server.injector.inject(Injection("Create", "status", status=status, times=99))
        with pytest.raises(ServiceRefused, match=words) as caught:
            await connect(server).open(ECHO)
        assert str(status) in caught.value.what
        assert caught.value.remedy
        assert not caught.value.transient
        assert server.injector.seen("Create") == 1

    @pytest.mark.parametrize(
        ("status", "transient", "words"), [(404, False, "not WinRM"), (503, True, "may be restarting")]
    )
    async def test_another_web_server(self, status: int, transient: bool, words: str) -> None:
        class Other(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<html><body>Not here</body></html>")

            def log_message(self, *arguments: object) -> None:
                pass

        with http.server.ThreadingHTTPServer((HOST, 0), Other) as server:
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
            try:
                endpoint = Endpoint(HOST, server.server_address[1], USER)
                with pytest.raises(TransportError, match=words) as caught:
                    await WinRMTransport(endpoint, Password(PASSWORD), reach=120).connect()
            finally:
                server.shutdown()
        assert caught.value.transient == transient
        assert caught.value.remedy


class TestShellsAreDeleted:
    @pytest.mark.parametrize("kind", ["drop-before", "drop-after", "drop-inside", "bad-seal", "status"])
    @pytest.mark.parametrize("program", [ECHO, ["cat"]], ids=["relay", "direct"])
    async def test_when_the_answer_to_the_command_is_lost(
        self, serve: Serve, connect: Connect, kind: Kind, program: list[str]
    ) -> None:
        server = serve()
        server.injector.inject(Injection("Command", kind, status=500, times=99))
        with pytest.raises(ChannelLost):
            await connect(server).open(program)
        assert server.injector.hits >= 1
        assert server.service.shells == 0

    @pytest.mark.parametrize("kind", ["drop-before", "drop-after", "bad-seal", "status", "fault"])
    async def test_when_the_deletion_fails_at_first(self, serve: Serve, connect: Connect, kind: Kind) -> None:
        server = serve()
        operations = next(case for case in RECEIVING if case["code"] == 2150859174)
        failing = Injection("Delete", kind, status=503, times=2, fault=injection(operations, 1).fault)
        server.injector.inject(failing)
        assert await ask(connect(server)) == b"WORKS"
        assert server.injector.hits >= 1
        assert server.service.shells == 0

    async def test_when_opening_is_cancelled(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        held = server.injector.inject(Injection("Command", "hold-after"))
        opening = asyncio.create_task(connect(server).open(ECHO))
        while not held.hit.is_set():
            await asyncio.sleep(0.01)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert server.service.shells == 1
        held.release.set()
        async with asyncio.timeout(300):
            while server.service.shells:
                await asyncio.sleep(0.01)

    async def test_when_no_relay_starts(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        transport = connect(server)
        channel = await transport.open(["python4.2", "-c", "pass"])
        assert await channel.wait() == 127
        server.injector.inject(
            Injection("Send", "fault", fault=lambda: Fault(2150858843, "", "Gone."), times=9)
        )
        with pytest.raises(TransportError):
            await transport.open(ECHO)
        await transport.close()
        assert server.service.shells == 0

    async def test_a_lost_login_is_tried_once_for_the_deletion(self, serve: Serve, connect: Connect) -> None:
        """Windows locks accounts after a few failures."""
        server = serve()
        transport = connect(server)
        await transport.connect()
        held = server.injector.inject(Injection("Create", "hold-after"))
        opening = asyncio.create_task(transport.open(["cat"]))
        while not held.hit.is_set():
            await asyncio.sleep(0.01)
        server.accounts.change(USER, "another")
        refused = server.accounts.refusals
        server.injector.inject(Injection("Command", "drop-before"))
        held.release.set()
        with pytest.raises(TransportError):
            await opening
        assert server.accounts.refusals - refused <= 1
