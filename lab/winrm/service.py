"""The shells of one node, and the actions on them."""

from __future__ import annotations

import base64
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lab.winrm import faults, soap
from lab.winrm.command import Command
from lab.winrm.quotas import Quotas
from lab.winrm.soap import Request, tag
from lab.winrm.spawn import Spawn

#: What the XML around a Receive's output takes of the envelope.
_ENVELOPE_OVERHEAD = 2500


@dataclass(slots=True)
class _Shell:
    id: str
    owner: str
    environment: dict[str, str]
    folder: str | None
    commands: dict[str, Command] = field(default_factory=dict)


class Service:
    """Executes requests of users who are logged in; independent of HTTP."""

    def __init__(self, spawn: Spawn, quotas: Quotas) -> None:
        self.quotas = quotas
        self._spawn = spawn
        self._lock = threading.Lock()
        self._shells: dict[str, _Shell] = {}
        self._actions: dict[str, Callable[[Request, str], str]] = {
            f"{soap.TRANSFER}/Get": self._get,
            f"{soap.TRANSFER}/Create": self._create,
            f"{soap.TRANSFER}/Delete": self._delete,
            f"{soap.SHELL}/Command": self._command,
            f"{soap.SHELL}/Send": self._send,
            f"{soap.SHELL}/Receive": self._receive,
            f"{soap.SHELL}/Signal": self._signal,
        }

    @property
    def shells(self) -> int:
        """How many shells are open."""
        with self._lock:
            return len(self._shells)

    def handle(self, request: Request, user: str) -> bytes:
        """Carry out a request and return the answer's envelope; raises Fault."""
        action = self._actions.get(request.action)
        if action is None:
            raise faults.unsupported(request.action)
        return soap.envelope(request.action + "Response", action(request, user), request.message_id)

    def end_shells(self) -> None:
        """Delete all shells with what runs in them, as a restart of the service does."""
        with self._lock:
            shells = list(self._shells.values())
            self._shells.clear()
        for shell in shells:
            for command in shell.commands.values():
                command.kill()

    def _shell(self, request: Request) -> _Shell:
        with self._lock:
            shell = self._shells.get(request.shell_id)
        if shell is None:
            raise faults.no_shell()
        return shell

    def _running(self, request: Request) -> tuple[_Shell, Command]:
        shell = self._shell(request)
        command = shell.commands.get(request.command_id())
        if command is None:
            raise faults.no_shell()
        return shell, command

    def _get(self, request: Request, user: str) -> str:
        name = request.resource.partition(soap.NAMESPACES["cfg"])[2].strip("/").lower()
        if name == "":
            return self.quotas.config()
        if name == "winrs":
            return self.quotas.winrs()
        raise faults.unsupported(request.resource)

    def _create(self, request: Request, user: str) -> str:
        wanted = request.find("rsp:Shell")
        if wanted is None:
            raise faults.unsupported("Create without a Shell")
        if request.resource.lower() != soap.CMD_RESOURCE:
            raise faults.no_resource(request.resource)
        if not self.quotas.allow_remote_shells:
            raise faults.remote_shells_off()
        shell = _Shell(
            id=(wanted.get("ShellId") or str(uuid.uuid4())).upper(),
            owner=user,
            environment={
                variable.get("Name", ""): variable.text or "" for variable in wanted.iter(tag("rsp:Variable"))
            },
            folder=wanted.findtext(tag("rsp:WorkingDirectory")),
        )
        with self._lock:
            if sum(other.owner == user for other in self._shells.values()) >= self.quotas.max_shells_per_user:
                raise faults.too_many_shells(self.quotas.max_shells_per_user)
            self._shells[shell.id] = shell
        return (
            "<x:ResourceCreated><a:Address>http://localhost/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{soap.CMD_RESOURCE}</w:ResourceURI>"
            f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{soap.CMD_RESOURCE}</rsp:ResourceUri><rsp:Owner>{escape(user)}</rsp:Owner>"
            "<rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
            f"<rsp:IdleTimeOut>PT{self.quotas.idle_timeout_ms / 1000:.3f}S</rsp:IdleTimeOut>"
            "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
            "<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime></rsp:Shell>"
        )

    def _delete(self, request: Request, user: str) -> str:
        shell = self._shell(request)
        with self._lock:
            self._shells.pop(shell.id, None)
        for command in shell.commands.values():
            command.kill()
        return ""

    def _command(self, request: Request, user: str) -> str:
        shell = self._shell(request)
        wanted = request.find("rsp:CommandLine")
        if wanted is None:
            raise faults.unsupported("Command without a CommandLine")
        if len(shell.commands) >= self.quotas.max_processes_per_shell:
            raise faults.too_many_processes()
        words = [wanted.findtext(tag("rsp:Command")) or ""]
        words += [argument.text or "" for argument in wanted.findall(tag("rsp:Arguments"))]
        no_shell = request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() == "TRUE"
        process = self._spawn(" ".join(words), shell.environment, shell.folder, no_shell)
        command = Command((wanted.get("CommandId") or str(uuid.uuid4())).upper(), process)
        shell.commands[command.id] = command
        return f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, request: Request, user: str) -> str:
        _, command = self._running(request)
        for stream in request.root.iter(tag("rsp:Stream")):
            command.send(base64.b64decode(stream.text or ""), stream.get("End", "").lower() in ("true", "1"))
        return "<rsp:SendResponse/>"

    def _receive(self, request: Request, user: str) -> str:
        _, command = self._running(request)
        envelope = min(request.envelope, self.quotas.envelope_bytes)
        timeout = min(request.timeout, self.quotas.max_timeout_ms / 1000)
        pieces, code = command.receive(timeout, (envelope - _ENVELOPE_OVERHEAD) * 3 // 4)
        xml = [_stream(command.id, name, data) for name, data in pieces]
        state = f'<rsp:CommandState CommandId="{command.id}" State="{soap.SHELL}/CommandState/'
        if code is None:
            xml.append(state + 'Running"/>')
        else:
            xml += [
                f'<rsp:Stream Name="{name}" CommandId="{command.id}" End="true"></rsp:Stream>'
                for name in ("stdout", "stderr")
            ]
            xml.append(f'{state}Done"><rsp:ExitCode>{code}</rsp:ExitCode></rsp:CommandState>')
        return f"<rsp:ReceiveResponse>{''.join(xml)}</rsp:ReceiveResponse>"

    def _signal(self, request: Request, user: str) -> str:
        shell, command = self._running(request)
        signal = request.find("rsp:Code")
        if ((signal is not None and signal.text) or "").lower().endswith("/terminate"):
            shell.commands.pop(command.id, None)
            command.kill()
        else:
            command.interrupt()
        return "<rsp:SignalResponse/>"


def _stream(command_id: str, name: str, data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return f'<rsp:Stream Name="{name}" CommandId="{command_id}">{text}</rsp:Stream>'
