"""Start a process that outlives the session it was started from.

A login session's end kills its processes: on Windows through the session's job object, on POSIX by
a hang-up. What is started here belongs to no session and holds none of its pipes, so that the channel
can close. It must redirect its own output, and write a file once it runs: a launcher's word is not enough.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from typing import Callable, List, NamedTuple, Sequence, Tuple
from xml.sax.saxutils import escape

from agent.powershell import encoded, startable
from agent.private import opener
from agent.quoting import Unsafe, powershell
from agent.wire.message import Message, message
from agent.wire.reasons import reason_of


class Detached(NamedTuple):
    """``method`` started the process; ``tried`` is why those before it did not."""

    method: str
    tried: List[Message]


class NotDetached(Exception):
    """No method started the process; ``message`` has the reason of each."""

    def __init__(self, tried: List[Message]) -> None:
        self.message = message("detach.reasons", "{reasons:; }", reasons=tried)
        super().__init__(self.message)


class _Refused(Exception):
    """This method can't start it, for the reason ``message``."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def detach(
    argv: Sequence[str],
    *,
    folder: str,
    name: str,
    started: str,
    timeout: float = 10.0,
    methods: Sequence[str] = (),
) -> Detached:
    """Start ``argv`` in ``folder`` and wait for it to write the file ``started``; raises NotDetached.

    ``name`` is what a scheduled task would be called. ``timeout`` (seconds) is for each method; one that
    brings the process up later than that may lead to a second one, so the process has to make sure
    that it is alone. ``methods`` are those of this system unless given.
    """
    tried: List[Message] = []
    for method in methods or (WINDOWS if os.name == "nt" else POSIX):
        try:
            _METHODS[method](argv, folder, name)
        except (_Refused, Unsafe) as error:
            tried.append(_failed(method, error.message))
            continue
        except (OSError, subprocess.SubprocessError) as error:
            tried.append(_failed(method, reason_of(error)))
            continue
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if os.path.exists(started):
                return Detached(method, tried)
            time.sleep(0.02)
        late = message("detach.timeout", "no process started within {seconds:.0f} s", seconds=timeout)
        tried.append(_failed(method, late))
    raise NotDetached(tried)


def _failed(method: str, why: Message) -> Message:
    return message("detach.failed", "{method}: {why}", method=method, why=why)


def _session(argv: Sequence[str], folder: str, name: str) -> None:
    _popen(argv, folder, start_new_session=True)


def _breakaway(argv: Sequence[str], folder: str, name: str) -> None:
    # CREATE_BREAKAWAY_FROM_JOB, DETACHED_PROCESS, CREATE_NEW_PROCESS_GROUP
    _popen(argv, folder, creationflags=0x01000000 | 0x00000008 | 0x00000200)


def _popen(argv: Sequence[str], folder: str, **options: object) -> None:
    process = subprocess.Popen(  # type: ignore[call-overload]
        list(argv),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=True,
        **options,
    )
    # It is our child as long as we run, so we must reap it.
    threading.Thread(target=process.wait, name="reaper", daemon=True).start()


def cim_script(argv: Sequence[str], folder: str) -> str:
    """Return the PowerShell text that has the WMI service start ``argv``, with no window."""
    command, place = (powershell(text) for text in (subprocess.list2cmdline(argv), folder))
    return (
        "$startup = New-CimInstance -ClassName Win32_ProcessStartup -ClientOnly "
        "-Property @{ ShowWindow = [uint16]0 }\n"
        "$answer = Invoke-CimMethod -ClassName Win32_Process -MethodName Create -Arguments @{ "
        "CommandLine = %s; CurrentDirectory = %s; ProcessStartupInformation = $startup }\n"
        "if ($answer.ReturnValue -ne 0) { exit $answer.ReturnValue }\n"
        "Write-Output ('started ' + $answer.ProcessId)\n"
    ) % (command, place)


def _cim(argv: Sequence[str], folder: str, name: str) -> None:
    said = _tool(*encoded(cim_script(argv, folder)))
    if "started" not in said:
        raise _Refused(message("detach.unconfirmed", "powershell did not confirm the start of a process"))


def task_definition(argv: Sequence[str], folder: str) -> str:
    """Return the XML of a scheduled task without the defaults that would end a long run.

    Those are 72 hours at most, and no start or a stop on battery power.
    """
    values = (argv[0], subprocess.list2cmdline(argv[1:]), folder)
    command, arguments, place = (escape(text) for text in values)
    return (
        '<?xml version="1.0" encoding="UTF-16"?>\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\n'
        "<Settings><DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>"
        "<StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>"
        "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit><Priority>5</Priority></Settings>\n"
        "<Actions><Exec><Command>%s</Command><Arguments>%s</Arguments>"
        "<WorkingDirectory>%s</WorkingDirectory></Exec></Actions>\n"
        "</Task>\n"
    ) % (command, arguments, place)


def _task(argv: Sequence[str], folder: str, name: str) -> None:
    definition = os.path.join(folder, "task.xml")
    with open(definition, "w", encoding="utf-16", opener=opener) as file:
        file.write(task_definition(argv, folder))
    try:
        _tool("schtasks", "/Create", "/F", "/TN", name, "/XML", definition)
        _tool("schtasks", "/Run", "/TN", name)
    finally:
        os.remove(definition)
    # The task's process keeps running without its definition.
    _tool("schtasks", "/Delete", "/F", "/TN", name)


def _tool(*argv: str) -> str:
    no_window = 0x08000000 if os.name == "nt" else 0
    words, environment = startable(argv, os.environ)
    answer = subprocess.run(
        words,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        creationflags=no_window,
    )
    if answer.returncode != 0:
        said = (answer.stdout + b" " + answer.stderr).decode("utf-8", "replace")
        raise _Refused(_ended(argv[0], answer.returncode, " ".join(said.split())[-300:]))
    return answer.stdout.decode("utf-8", "replace")


def _ended(program: str, status: int, output: str) -> Message:
    if not output:
        return message(
            "detach.program-silent",
            "{program} ended with status {status} and without output",
            program=program,
            status=status,
        )
    return message(
        "detach.program-ended",
        "{program} ended with status {status}: {output}",
        program=program,
        status=status,
        output=output,
    )


POSIX: Tuple[str, ...] = ("session",)
#: The order matters: the first leaves no traces and needs no additional rights.
WINDOWS: Tuple[str, ...] = ("cim", "breakaway", "task")

_METHODS: dict[str, Callable[[Sequence[str], str, str], None]] = {
    "session": _session,
    "cim": _cim,
    "breakaway": _breakaway,
    "task": _task,
}
