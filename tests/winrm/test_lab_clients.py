"""The lab's service is real: three clients that we did not write use it."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pypsrp.client
import pytest
import winrm
from winrm.exceptions import InvalidCredentialsError
from winrm.protocol import Protocol

from lab.winrm import Accounts, Process, posix_shell
from tests.winrm.conftest import HOST, PASSWORD, USER, Serve

PYTHON = sys.executable


class TestPywinrm:
    def test_runs_a_command_over_http_with_sealed_messages(self, serve: Serve) -> None:
        server = serve()
        session = winrm.Session(server.url, (USER, PASSWORD), transport="ntlm", proxy=None)
        result = session.run_cmd("printf out; printf err >&2; exit 7")
        assert (result.std_out, result.std_err, result.status_code) == (b"out", b"err", 7)

    @pytest.mark.parametrize("scheme", ["ntlm", "basic"])
    def test_runs_a_command_over_tls(self, serve: Serve, scheme: str) -> None:
        server = serve(tls=True, basic=True)
        session = winrm.Session(
            server.url,
            (USER, PASSWORD),
            transport=scheme,
            proxy=None,
            ca_trust_path=str(server.certificate.chain),
        )
        assert session.run_cmd("echo", ["over", "tls"]).std_out == b"over tls\n"

    def test_feeds_stdin_and_streams_stdout(self, serve: Serve) -> None:
        protocol = Protocol(serve().url, transport="ntlm", username=USER, password=PASSWORD, proxy=None)
        shell = protocol.open_shell(codepage=65001, env_vars={"GREETING": "안녕"})
        command = protocol.run_command(shell, 'printf "%s " "$GREETING"; exec cat', console_mode_stdin=False)
        every_byte = bytes(range(256))
        protocol.send_command_input(shell, command, every_byte)
        protocol.send_command_input(shell, command, b"\r\n\x1a", end=True)
        out, err, code = protocol.get_command_output(shell, command)
        assert (out, err, code) == ("안녕 ".encode() + every_byte + b"\r\n\x1a", b"", 0)
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell)

    def test_a_wrong_password_is_refused(self, serve: Serve) -> None:
        session = winrm.Session(serve().url, (USER, "wrong"), transport="ntlm", proxy=None)
        with pytest.raises(InvalidCredentialsError):
            session.run_cmd("echo")

    def test_basic_is_refused_over_plain_http(self, serve: Serve) -> None:
        session = winrm.Session(serve(basic=True).url, (USER, PASSWORD), transport="basic", proxy=None)
        with pytest.raises(InvalidCredentialsError):
            session.run_cmd("echo")


class TestPypsrp:
    @pytest.mark.parametrize("auth", ["negotiate", "ntlm"])
    def test_runs_a_command_over_http_with_sealed_messages(self, serve: Serve, auth: str) -> None:
        server = serve()
        with pypsrp.client.Client(
            HOST, username=USER, password=PASSWORD, port=server.port, ssl=False, auth=auth, no_proxy=True
        ) as client:
            out, err, code = client.execute_cmd("printf out; printf err >&2; exit 3")
        assert (out, err, code) == ("out", "err", 3)

    def test_runs_a_command_with_basic_over_tls(self, serve: Serve) -> None:
        server = serve(tls=True, basic=True)
        with pypsrp.client.Client(
            HOST, username=USER, password=PASSWORD, port=server.port, ssl=True, auth="basic", no_proxy=True,
            cert_validation=str(server.certificate.chain),
        ) as client:  # fmt: skip
            assert client.execute_cmd("echo hello")[0] == "hello\n"


@pytest.mark.needs("winrmcp")
class TestWinrmcp:
    def test_copies_a_file_with_basic_over_tls(self, serve: Serve, tmp_path: Path) -> None:
        windows = _JustEnoughWindows(tmp_path / "node")
        server = serve(tls=True, basic=True, spawn=windows.spawn)
        source = tmp_path / "source.bin"
        source.write_bytes(bytes(range(256)) * 400)
        done = subprocess.run(
            ["winrmcp", "-user", USER, "-pass", PASSWORD, "-addr", f"{HOST}:{server.port}", "-https",
             "-cacert", str(server.certificate.chain), str(source), "C:/copied.bin"],
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "node" / "copied.bin").read_bytes() == source.read_bytes()
        assert not list((tmp_path / "node").glob("winrmcp-*"))


class _JustEnoughWindows:
    """Carries out the cmd and PowerShell lines that winrmcp sends, in a folder."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self._root = root
        self._shell = posix_shell(root, {**os.environ, "TEMP": str(root)})

    def spawn(self, line: str, extra: Mapping[str, str], cwd: str | None, no_shell: bool) -> Process:
        if line.startswith("powershell.exe -EncodedCommand"):
            script = base64.b64decode(line.split()[-1]).decode("utf-16le")
            part = self._root / re.search(r"winrmcp-[-\w]+\.tmp", script)[0]
            if target := re.search(r'GetFullPath\("C:\\(\S+?)"', script):
                lines = part.read_text().splitlines()
                (self._root / target[1]).write_bytes(b"".join(map(base64.b64decode, lines)))
            else:
                part.unlink()
            return self._shell("true", extra, cwd, no_shell)
        return self._shell(line.replace("%TEMP%\\", "$TEMP/"), extra, cwd, no_shell)


def test_nodes_in_one_process_do_not_share_users(serve: Serve) -> None:
    first = serve()
    second = serve(accounts=Accounts({"somebody": "Else-1234"}), host="127.0.11.2")
    for server, user, password in ((first, USER, PASSWORD), (second, "somebody", "Else-1234")):
        session = winrm.Session(server.url, (user, password), transport="ntlm", proxy=None)
        assert session.run_cmd("echo", ["hi"]).std_out == b"hi\n"
    stranger = winrm.Session(second.url, (USER, PASSWORD), transport="ntlm", proxy=None)
    with pytest.raises(InvalidCredentialsError):
        stranger.run_cmd("echo")
    assert "NTLM_USER_FILE" not in os.environ
