"""The variables of a fresh login on POSIX.

They are the user's identity, a standard PATH, ``/etc/environment`` and ``/etc/default/locale``, and then what
the user's login shell makes of them (``/etc/profile``, ``~/.profile`` and the like) without a terminal.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Dict, Mapping, Optional, Tuple

from agent.private import regular
from agent.wire.message import Message, message

assert sys.platform != "win32"

import pwd  # noqa: E402

#: Variables of the shell that was started for the question, not of the login.
_SHELLS_OWN = ("PWD", "OLDPWD", "SHLVL", "_")
#: What sshd sets for programs that it starts, without the user's own settings.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Files with variables for every login, which PAM reads on most Linux systems.
_FILES = ("/etc/environment", "/etc/default/locale")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$")
#: Seconds for the user's own start files.
_LIMIT = 10.0
#: Bytes of what a shell may print, its variables included.
_MOST = 4 << 20
#: Prints the variables between two marks. No character means anything to a shell between single quotes.
_PRINT = (
    "import json,os,sys;"
    "sys.stdout.write(chr(10)+sys.argv[1]+json.dumps(dict(os.environ))+sys.argv[1]+chr(10));"
    "sys.stdout.flush()"
)
#: Characters of an interpreter's path that every shell takes as they are between single quotes.
_QUOTABLE = re.compile(r"[^'!\\\n]+")


def user_variables() -> Tuple[Dict[str, str], Optional[Message]]:
    """Return the variables, and why those of the start files are missing."""
    start, shell = _identity()
    start.update(_of_files(_FILES))
    try:
        found = _ask(shell, start, _LIMIT)
    except _ShellProblem as error:
        what = message(
            "login.shell",
            "the login shell {shell} of this user {reason}, so ranks start without the variables of its "
            "start files",
            shell=shell,
            reason=error.message,
        )
        return start, what
    return {name: value for name, value in found.items() if name not in _SHELLS_OWN}, None


def _identity() -> Tuple[Dict[str, str], str]:
    """Return the user's variables before any start file, and the login shell."""
    name, home, shell = "", "", ""
    with suppress(KeyError):
        entry = pwd.getpwuid(os.geteuid())
        name, home, shell = entry.pw_name, entry.pw_dir, entry.pw_shell
    # HOME as this process has it: `~` in the node's paths means that folder, too.
    home = os.environ.get("HOME") or home or "/"
    name = name or os.environ.get("USER") or str(os.geteuid())
    shell = shell or "/bin/sh"
    return {"HOME": home, "USER": name, "LOGNAME": name, "SHELL": shell, "PATH": _PATH}, shell


def _of_files(paths: Tuple[str, ...]) -> Dict[str, str]:
    """Return the variables of files of ``NAME=VALUE`` lines; those that can't be read are left out."""
    found: Dict[str, str] = {}
    for path in paths:
        with suppress(OSError):
            with open(path, encoding="utf-8", errors="surrogateescape", opener=regular) as file:
                text = file.read(_MOST)
            for line in text.splitlines():
                match = _LINE.match(line)
                if match is not None and "\0" not in line:
                    value = match[2]
                    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
                        value = value[1:-1]
                    found[match[1]] = value
    return found


class _ShellProblem(Exception):
    """The shell did not report its variables, for the reason ``message``."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def _ask(shell: str, start: Mapping[str, str], limit: float) -> Dict[str, str]:
    """Return the variables that a login shell hands to programs; raises _ShellProblem."""
    python = sys.executable
    if not _QUOTABLE.fullmatch(python):
        raise _ShellProblem(message("login.path", "cannot start {python}", python=python))
    mark = os.urandom(16).hex()
    command = "exec '%s' -I -S -c '%s' %s" % (python, _PRINT, mark)
    try:
        process = subprocess.Popen(
            # A leading hyphen makes every shell read its login files, as login(1) and sshd do.
            ["-" + os.path.basename(shell), "-c", command],
            executable=shell,
            cwd=start["HOME"] if os.path.isdir(start["HOME"]) else "/",
            env=dict(start),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise _ShellProblem(
            message("login.not-started", "cannot be started ({error})", error=error.strerror or str(error))
        ) from None
    try:
        return _between(process, mark.encode(), limit)
    finally:
        # Whatever a start file left in the background belongs to this question only.
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _between(process: subprocess.Popen[bytes], mark: bytes, limit: float) -> Dict[str, str]:
    """Read until both marks are there: a program in the background may keep the pipe open for ever."""
    assert process.stdout is not None
    deadline = time.monotonic() + limit
    data = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while data.count(mark) < 2:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _ShellProblem(
                    message("login.timeout", "did not finish within {seconds:.0f} s", seconds=limit)
                )
            if not selector.select(left):
                continue
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                raise _ShellProblem(message("login.no-answer", "ended without running a program"))
            data += piece
            if len(data) > _MOST:
                raise _ShellProblem(message("login.too-much", "printed too much"))
    found = json.loads(bytes(data).split(mark)[1].decode("ascii"))
    return {str(name): str(value) for name, value in found.items()}
