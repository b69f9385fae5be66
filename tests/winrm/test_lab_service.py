"""Quotas, faults and lifetimes of the lab's service, seen through pywinrm."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
import requests
import xmltodict
from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from lab.winrm import Accounts, Injection, Quotas, WinRMServer, faults
from tests.winrm.conftest import PASSWORD, USER, Serve

CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"


def connect(server: WinRMServer, operation_timeout: int = 20) -> Protocol:
    return Protocol(
        server.url, transport="ntlm", username=USER, password=PASSWORD, proxy=None,
        operation_timeout_sec=operation_timeout, read_timeout_sec=operation_timeout + 10,
    )  # fmt: skip


def fault_code(caught: pytest.ExceptionInfo[WSManFaultError]) -> int | None:
    return caught.value.wsman_fault_code


def test_anybody_may_ask_who_is_there(serve: Serve) -> None:
    answer = requests.post(serve().url, headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=120)
    assert "IdentifyResponse" in answer.text


def test_a_stranger_is_told_the_schemes(serve: Serve) -> None:
    answer = requests.post(serve().url, timeout=120)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Negotiate, Kerberos")


@pytest.mark.parametrize("resource", ["", "/winrs"])
def test_quotas_are_told(serve: Serve, resource: str) -> None:
    protocol = connect(serve(quotas=Quotas(max_envelope_kb=150, max_shells_per_user=5)))
    header = protocol.build_wsman_header(
        "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get", CONFIG + resource
    )
    answer = protocol.send_message(xmltodict.unparse({"env:Envelope": {**header, "env:Body": {}}})).decode()
    assert "<cfg:MaxShellsPerUser>5<" in answer
    assert ("<cfg:MaxEnvelopeSizekb>150<" in answer) == (resource == "")


def test_shells_are_limited(serve: Serve) -> None:
    protocol = connect(serve(quotas=Quotas(max_shells_per_user=1)))
    shell = protocol.open_shell()
    with pytest.raises(WSManFaultError) as caught:
        protocol.open_shell()
    assert fault_code(caught) == faults.too_many_shells().code
    protocol.close_shell(shell, close_session=False)
    protocol.open_shell()


def test_there_are_command_shells_only(serve: Serve) -> None:
    """As Windows answers for an endpoint of PowerShell that is not registered."""
    protocol = connect(serve())
    header = protocol.build_wsman_header(
        "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create",
        "http://schemas.microsoft.com/powershell/Microsoft.PowerShell",
    )
    body = {"rsp:Shell": {"rsp:InputStreams": "stdin pr", "rsp:OutputStreams": "stdout"}}
    with pytest.raises(WSManFaultError) as caught:
        protocol.send_message(xmltodict.unparse({"env:Envelope": {**header, "env:Body": body}}))
    assert (fault_code(caught), caught.value.fault_subcode) == (2150858752, "a:DestinationUnreachable")


def test_an_envelope_over_the_quota_is_refused(serve: Serve) -> None:
    protocol = connect(serve(quotas=Quotas(max_envelope_kb=64)))
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    with pytest.raises(WSManFaultError) as caught:
        protocol.send_command_input(shell, command, b"x" * 70_000)
    assert fault_code(caught) == faults.envelope_too_large().code


def test_receive_times_out_when_there_is_nothing_yet(serve: Serve) -> None:
    protocol = connect(serve(), operation_timeout=1)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)


def test_ctrl_c_ends_the_command_as_on_windows(serve: Serve) -> None:
    protocol = connect(serve())
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat", console_mode_stdin=False)
    # It has started, and so can be interrupted, once it answers.
    protocol.send_command_input(shell, command, b"x")
    assert protocol.get_command_output_raw(shell, command)[0] == b"x"
    namespace = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
    header = protocol.build_wsman_header(f"{namespace}/Signal", f"{namespace}/cmd", shell)
    body = {"rsp:Signal": {"@CommandId": command, "rsp:Code": f"{namespace}/signal/ctrl_c"}}
    protocol.send_message(xmltodict.unparse({"env:Envelope": {**header, "env:Body": body}}))
    assert protocol.get_command_output_raw(shell, command) == (b"", b"", 0xC000013A, True)


def test_deleting_the_shell_ends_what_runs_in_it(serve: Serve, tmp_path: Path) -> None:
    protocol = connect(serve())
    shell = protocol.open_shell()
    fifo = tmp_path / "alive"
    # The pipe's other end sees end of file only when the whole tree is gone.
    protocol.run_command(shell, f"mkfifo {fifo}; (sleep 600 > {fifo} & sleep 600)", console_mode_stdin=False)
    seen = threading.Event()

    def watch() -> None:
        while not fifo.exists():
            seen.wait(0.01)
        fifo.read_bytes()
        seen.set()

    threading.Thread(target=watch, daemon=True).start()
    assert not seen.wait(0.3)
    protocol.close_shell(shell)
    assert seen.wait(10)


def test_a_slow_client_makes_the_process_wait(serve: Serve, tmp_path: Path) -> None:
    protocol = connect(serve())
    shell = protocol.open_shell()
    code = "import sys;n=0\nwhile n<8<<20: n+=sys.stdout.buffer.write(b'x'*65536)\nopen('done','w')"
    script = tmp_path / "flood.py"
    script.write_text(code)
    command = protocol.run_command(shell, f"{sys.executable} {script}", console_mode_stdin=False)
    protocol.get_command_output_raw(shell, command)
    assert not (tmp_path / "done").exists()
    out, _, code_seen = protocol.get_command_output(shell, command)
    assert (tmp_path / "done").exists()
    assert code_seen == 0
    assert len(out) < 8 << 20


def test_an_account_without_the_right_is_denied(serve: Serve) -> None:
    accounts = Accounts({USER: PASSWORD}, denied=frozenset({USER}))
    with pytest.raises(WSManFaultError) as caught:
        connect(serve(accounts=accounts)).open_shell()
    assert fault_code(caught) == faults.access_denied().code


def test_a_pause_keeps_the_shells_and_a_stop_ends_them(serve: Serve) -> None:
    server = serve()
    protocol = connect(server)
    shell = protocol.open_shell()
    port = server.port
    server.pause()
    server.start()
    assert (server.port, server.service.shells) == (port, 1)
    command = connect(server).run_command(shell, "echo back")
    assert connect(server).get_command_output(shell, command)[0] == b"back\n"
    server.stop()
    server.start()
    with pytest.raises(WSManFaultError) as caught:
        connect(server).run_command(shell, "echo")
    assert fault_code(caught) == faults.no_shell().code


class TestFaultInjection:
    @pytest.mark.parametrize("kind", ["drop-before", "drop-after", "drop-inside"])
    def test_a_cut_connection(self, serve: Serve, kind: str) -> None:
        server = serve()
        server.injector.inject(Injection("Create", kind))  # type: ignore[arg-type]
        with pytest.raises(requests.exceptions.RequestException):
            connect(server).open_shell()
        assert server.service.shells == (0 if kind == "drop-before" else 1)

    @pytest.mark.parametrize("status", [500, 503])
    def test_an_http_error(self, serve: Serve, status: int) -> None:
        server = serve()
        server.injector.inject(Injection("Create", "status", status=status))
        with pytest.raises(WinRMTransportError) as caught:
            connect(server).open_shell()
        assert caught.value.code == status

    def test_a_wrong_seal(self, serve: Serve) -> None:
        server = serve()
        server.injector.inject(Injection("Create", "bad-seal"))
        with pytest.raises(Exception, match=r"(?i)signature|mic|checksum|verif"):
            connect(server).open_shell()

    def test_a_fault_spares_those_before_it(self, serve: Serve) -> None:
        server = serve()
        server.injector.inject(Injection("Create", "fault", skip=1, fault=faults.too_many_shells))
        protocol = connect(server)
        protocol.open_shell()
        with pytest.raises(WSManFaultError):
            protocol.open_shell()
        protocol.open_shell()

    def test_a_held_request_goes_on_when_let_go(self, serve: Serve) -> None:
        server = serve()
        injection = server.injector.inject(Injection("Create", "hold-before"))
        opened = threading.Event()
        threading.Thread(target=lambda: (connect(server).open_shell(), opened.set()), daemon=True).start()
        assert injection.hit.wait(10)
        assert not opened.wait(0.1)
        injection.release.set()
        assert opened.wait(10)
