"""The contract and the agent with each login shell of a node, and an interpreter whose path needs quotes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agent.wire.operation import Nothing
from agent.wire.operations import PING
from fleet.errors import FleetError, NoAgent
from fleet.link.bootstrap import start_agent
from fleet.link.bundle import pack_agent
from fleet.link.client import AgentClient
from fleet.link.shell_problems import without_hello
from lab.login_shell import LoginShell
from lab.ssh_node import SshNode
from tests.support.powershell import powershell_words
from tests.transports.conftest import Connect
from tests.transports.contract import TransportContract
from transports.base import Transport
from transports.ssh.transport import SshTransport

full = pytest.mark.full
#: The shells whose commands run on this machine, with the kind that dtui finds for each.
SHELLS = {"bash": "posix", "sh": "posix", "fish": "posix", "tcsh": "csh", "pwsh": "powershell"}
EACH_SHELL = [
    pytest.param("bash"),
    pytest.param("pwsh", marks=pytest.mark.needs("pwsh")),
    pytest.param("sh", marks=full),
    pytest.param("fish", marks=[full, pytest.mark.needs("fish")]),
    pytest.param("tcsh", marks=[full, pytest.mark.needs("tcsh")]),
]
#: Each shell would read some of these names differently without quotes.
ODD_FOLDERS = Path("my (x86) 한글 it's") / "a & b ; , = # @ ~ + ^ [1] {2}" / "’ – \u3000 \xa0 é"


def login_shell(name: str, *, loses_quotes: bool = False) -> LoginShell:
    program = powershell_words() if name == "pwsh" else (f"/usr/bin/env {name}".split())
    return LoginShell(tuple(program), loses_quotes)


def interpreter_in(folder: Path) -> str:
    """Make a link to this Python in ``folder`` and return its path."""
    folder.mkdir(parents=True)
    place = folder / "python3"
    place.symlink_to(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    return str(place)


class ShellContract(TransportContract):
    shell: str
    BULK = 16 << 20

    @pytest.fixture(autouse=True)
    def _odd_interpreter(self, tmp_path: Path) -> None:
        self.python = interpreter_in(tmp_path / "my (x86) 한글 it's & python")

    @pytest.fixture
    def transport(self, node: SshNode, connect: Connect) -> Transport:
        node.login_shell = login_shell(self.shell)
        return connect(node)


class TestBash(ShellContract):
    shell = "bash"


@pytest.mark.needs("pwsh")
class TestPowerShell(ShellContract):
    """PowerShell makes 1 of each status."""

    shell = "pwsh"
    KILLED = (1,)
    MISSING = 1

    def reported(self, status: int) -> int:
        return min(status, 1)


@full
@pytest.mark.needs("fish")
class TestFish(ShellContract):
    shell = "fish"


@full
@pytest.mark.needs("tcsh")
class TestTcsh(ShellContract):
    shell = "tcsh"
    MISSING = 1


async def greet(transport: SshTransport, python: str, hello: float = 60.0) -> AgentClient:
    """Start the agent, whose first frame comes within ``hello`` seconds, and call it."""
    started = await start_agent(transport, pack_agent(), node="gpu1", python=python)
    try:
        client = await AgentClient.open(started.channel, node="gpu1", head=started.head, timeout=hello)
    except FleetError as error:
        raise await without_hello(transport, error, "gpu1") from error
    await client.call(PING, Nothing())
    return client


@pytest.mark.parametrize("shell", EACH_SHELL)
async def test_the_agent_starts_in_each_shell(
    shell: str, node: SshNode, connect: Connect, tmp_path: Path
) -> None:
    node.login_shell = login_shell(shell)
    client = await greet(connect(node), interpreter_in(tmp_path / ODD_FOLDERS))
    await client.close()


@pytest.mark.parametrize("shell", EACH_SHELL)
async def test_the_shell_is_found(shell: str, node: SshNode, connect: Connect) -> None:
    node.login_shell = login_shell(shell)
    transport = connect(node)
    assert await transport.login_shell() is None, "it makes no connection"
    await transport.connect()
    found = await transport.login_shell()
    assert found is not None
    assert found.kind == SHELLS[shell]


class TestOldWindowsServer:
    """OpenSSH for Windows before 7.9 passes lines on without their double quotes, except to cmd.exe."""

    @pytest.fixture
    async def old(self, node: SshNode, connect: Connect) -> SshTransport:
        await node.stop()
        node.software = "OpenSSH_for_Windows_7.7"
        await node.start()
        return connect(node)

    @pytest.mark.parametrize("shell", EACH_SHELL)
    async def test_a_plain_interpreter_starts_without_quotes(
        self, shell: str, node: SshNode, old: SshTransport, tmp_path: Path
    ) -> None:
        node.login_shell = login_shell(shell, loses_quotes=True)
        assert not old.loses_quotes
        client = await greet(old, interpreter_in(tmp_path / "python"))
        assert old.loses_quotes
        await client.close()

    @pytest.mark.needs("pwsh")
    async def test_powershell_gets_single_quotes(
        self, node: SshNode, old: SshTransport, tmp_path: Path
    ) -> None:
        node.login_shell = login_shell("pwsh", loses_quotes=True)
        client = await greet(old, interpreter_in(tmp_path / ODD_FOLDERS))
        await client.close()

    async def test_a_shell_that_gets_the_line_as_it_is_reads_it_too(
        self, node: SshNode, old: SshTransport, tmp_path: Path
    ) -> None:
        node.login_shell = login_shell("bash")
        client = await greet(old, interpreter_in(tmp_path / ODD_FOLDERS))
        await client.close()

    @pytest.mark.parametrize(
        ("software", "loses"),
        [
            ("OpenSSH_for_Windows_7.7", True),
            ("OpenSSH_for_Windows_7.9", False),
            ("OpenSSH_for_Windows_8.1", False),
            ("OpenSSH_for_Windows_9.5", False),
            ("OpenSSH_for_Windows_10.0 Win32-OpenSSH-GitHub", False),
            ("OpenSSH_7.4", False),
        ],
    )
    async def test_the_banner_tells_which_server_it_is(
        self, software: str, loses: bool, node: SshNode, connect: Connect
    ) -> None:
        await node.stop()
        node.software = software
        await node.start()
        transport = connect(node)
        await transport.connect()
        assert transport.loses_quotes == loses


@pytest.fixture
def profile(node: SshNode) -> Path:
    """The PowerShell profile of the node's account, whose folder exists."""
    path = node.home.folder / ".config" / "powershell" / "profile.ps1"
    path.parent.mkdir(parents=True)
    node.login_shell = login_shell("pwsh")
    return path


GOOD_PROFILES = [
    pytest.param(
        "'hello'; Write-Host 'host' -NoNewline; [Console]::Error.WriteLine('error'); $OutputEncoding = "
        "[Console]::OutputEncoding = [Text.Encoding]::Unicode",
        id="text and UTF-16",
    ),
    pytest.param(
        "Set-StrictMode -Version Latest; $ErrorActionPreference = 'Stop'; Set-Location /; throw 'broken'",
        id="strict and broken",
    ),
    pytest.param("exit 3", id="a status", marks=full),
    pytest.param(
        "function python3 { & (Get-Command python3 -Type Application)[0] @args }",
        id="a function that passes on",
        marks=full,
    ),
]


@pytest.mark.needs("pwsh")
class TestPowerShellProfiles:
    @pytest.mark.parametrize("text", GOOD_PROFILES)
    async def test_the_agent_starts(self, text: str, node: SshNode, profile: Path, connect: Connect) -> None:
        profile.write_text(text)
        client = await greet(connect(node), "python3")
        await client.close()

    @pytest.mark.parametrize(
        "text", ["[void][Console]::In.ReadLine()", pytest.param("cat >/dev/null", marks=full)]
    )
    async def test_one_that_reads_input_is_named(
        self, text: str, node: SshNode, profile: Path, connect: Connect
    ) -> None:
        profile.write_text(text)
        # All three limits end: nothing is decided by who is faster.
        transport = connect(node, probe_seconds=1.0)
        with pytest.raises(NoAgent, match="profile of this account waits for input") as caught:
            await start_agent(transport, pack_agent(), node="gpu1", python=None, timeout=1)
        assert "SSH_CONNECTION" in caught.value.remedy
        assert "python3" in caught.value.what

    async def test_one_that_prints_too_much_is_named(
        self, node: SshNode, profile: Path, connect: Connect
    ) -> None:
        profile.write_text("'welcome ' * 20000")
        with pytest.raises(NoAgent, match=r"printed .* before Python answered.*welcome") as caught:
            await start_agent(connect(node), pack_agent(), node="gpu1", python="python3")
        assert "SSH_CONNECTION" in caught.value.remedy

    async def test_a_function_that_changes_the_output_is_named(
        self, node: SshNode, profile: Path, connect: Connect
    ) -> None:
        profile.write_text(
            "function python3 { & (Get-Command python3 -Type Application)[0] @args | ForEach-Object { $_ } }"
        )
        with pytest.raises(NoAgent, match="re-encodes or withholds") as caught:
            await greet(connect(node), "python3", hello=2.0)
        assert "full path" in caught.value.remedy

    async def test_a_missing_interpreter_is_named(
        self, node: SshNode, profile: Path, connect: Connect
    ) -> None:
        with pytest.raises(NoAgent, match="tried no-such-python: not installed"):
            await start_agent(connect(node), pack_agent(), node="gpu1", python="no-such-python")
