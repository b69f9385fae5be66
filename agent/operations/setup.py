"""``setup``: run the commands of ``run.setup`` that something has changed for, in the ranks' environment.

Arguments: ``project``, ``deploy``, ``node``, ``commands`` (``[{"argv", "inputs"}]``), ``workdir``,
``interpreter`` (None: that of the last deploy), ``variables``, ``secrets``, ``wheelhouse``, ``force``. Items
are ``{"text": output}`` and ``{"quiet": seconds}``. The output is kept in ``.dtui/setup-<node>.log`` and what
was done in ``.dtui/setup-<node>.json``.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Callable, Dict, List, Optional

from agent.environments import uv
from agent.environments.folders import own_folder_of
from agent.environments.made_files import entries_of, made_since
from agent.environments.programs import Programs
from agent.environments.setup_state import SetupState, first_to_run, stamp_of
from agent.environments.stamp import described, refreshed
from agent.environments.variables import VariablesError, environment_of
from agent.environments.wheelhouse import located
from agent.paths import project_root, shown, split
from agent.private import opener
from agent.quoting import command_line
from agent.server import OperationError
from agent.supervisor.folder import environment_interpreter
from agent.supervisor.spec import SpecError, workdir_in
from agent.tree.errors import explained
from agent.tree.lock import Lock
from agent.wire.deploy import OutputItem, SetupArgs, SetupCommand, SetupResult
from agent.wire.message import message, to_data

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[SetupArgs, None, OutputItem]

#: Bytes of output that are kept of one setup.
_KEPT = 4 << 20
#: Last lines of a failed command in its error.
_SHOWN = 5


def setup(call: Request) -> SetupResult:
    """Run what must run, one command after the other; a failed one is the last."""
    text = call.args["project"]

    def waiting(seconds: float) -> None:
        call.send({"text": None, "quiet": seconds})

    with explained(text):
        root = project_root(text)
        split(call.args["node"])  # part of file names
        with Lock(root, call.args["deploy"], call.cancelled, waiting):
            return _setup(call, shown(root))


def _setup(call: Request, root: str) -> SetupResult:
    commands, secrets = call.args["commands"], call.args["secrets"]
    chosen = call.args["interpreter"] or environment_interpreter(root, call.args["node"])
    if chosen is None:
        raise OperationError(
            "environment",
            message("program.no-interpreter", "no training interpreter is known here"),
            message("program.no-interpreter.remedy", "deploy to this node first"),
        )
    interpreter = os.path.join(root, os.path.expanduser(chosen))
    made = described(root, call.args["node"])
    build = "" if made is None else made.get("build", "")
    variables = call.args["variables"]
    stamps = [
        stamp_of(command["argv"], call.args["workdir"], variables, list(secrets), build)
        for command in commands
    ]
    state = SetupState(root, call.args["node"])
    before = state.read()["done"]
    first = 0 if call.args["force"] else first_to_run(commands, stamps, before)
    if first == len(commands):
        return {"ran": 0, "total": len(commands), "warnings": []}
    try:
        folder = workdir_in(root, call.args["workdir"])
        found = environment_of(interpreter, variables, secrets)
    except (SpecError, VariablesError) as error:
        raise OperationError("setup", error.message) from None
    environment = {**found.environment, "DTUI_NODE": call.args["node"]}
    with open(state.log, "wb", opener=opener) as log:
        programs = Programs(call.send, call.cancelled, environment, secrets, _Log(log))
        programs.environment.update(_offline(located(root, call.args["wheelhouse"]), environment))
        if made is not None and (own := own_folder_of(root, made)):
            programs.environment.setdefault("UV_PROJECT_ENVIRONMENT", own)
        cache = os.path.dirname(call.archive)

        def run(command: SetupCommand) -> None:
            argv = _resolved(command["argv"], interpreter, folder, cache, programs)
            _run(argv, command["argv"], folder, programs)
            # What it has installed is part of the environment from now on.
            refreshed(root, call.args["node"])

        _run_from(first, commands, stamps, state, root, run)
    return {
        "ran": len(commands) - first,
        "total": len(commands),
        "warnings": [to_data(warning) for warning in found.warnings],
    }


def _run_from(
    first: int,
    commands: List[SetupCommand],
    stamps: List[str],
    state: SetupState,
    root: str,
    run: Callable[[SetupCommand], None],
) -> None:
    """Run the commands from the ``first`` one on, and keep after each what is done."""
    kept = state.read()
    before, done = kept["done"], kept["done"][:first]
    entries = entries_of(root)
    for index in range(first, len(commands)):
        # Until it has succeeded, neither it nor the commands behind it are done.
        state.write(done, kept["made"])
        try:
            run(commands[index])
        finally:
            kept["made"] = made_since(root, entries, kept["made"])
            state.write(done, kept["made"])
        inputs = commands[index]["inputs"]
        if inputs is None and index < len(before) and before[index]["stamp"] == stamps[index]:
            # The files are those of the last deploy, with which it ran before.
            inputs = before[index]["inputs"]
        done.append({"stamp": stamps[index], "inputs": inputs})
    state.write(done, kept["made"])


class _Log:
    """Writes output to a file up to a limit; a full disk must not end the command."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = _KEPT

    def __call__(self, text: str) -> None:
        data = text.encode("utf-8", "replace")[: self._left]
        self._left -= len(data)
        with suppress(OSError):
            self._file.write(data)
            self._file.flush()


def _offline(wheelhouse: Optional[str], environment: Dict[str, str]) -> Dict[str, str]:
    """Return what makes pip and uv install from the wheelhouse, unless the user's variables say otherwise."""
    if wheelhouse is None:
        return {}
    wanted = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": wheelhouse,
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": wheelhouse,
    }
    return {name: value for name, value in wanted.items() if name not in environment}


def _resolved(argv: List[str], interpreter: str, folder: str, cache: str, programs: Programs) -> List[str]:
    """Return the command with its program's path; raises OperationError when there is no such program."""
    name = argv[0]
    if name in ("python", "python3"):
        return [interpreter, *argv[1:]]
    if os.path.dirname(name):
        # As the ranks' folder: below it, or absolute.
        return [os.path.join(folder, os.path.expanduser(name)), *argv[1:]]
    if name == "uv":
        found = uv.find(cache, programs)
    else:
        found = shutil.which(name, path=programs.environment.get("PATH"))
    own = os.path.dirname(interpreter)
    if name in ("pip", "pip3") and (found is None or os.path.dirname(found) != own):
        raise OperationError(
            "setup",
            message(
                "setup.no-pip",
                "the setup command {command} needs pip, and the training environment has none",
                command=command_line(argv, os.name == "nt"),
            ),
            message("setup.no-pip.remedy", "write `uv pip install ...` instead of `pip install ...`"),
        )
    if found is None:
        raise OperationError(
            "setup",
            message(
                "setup.no-program",
                "the setup command {command} needs {program}, which is not on this node's PATH",
                command=command_line(argv, os.name == "nt"),
                program=name,
            ),
            message(
                "setup.no-program.remedy",
                "install {program} on the node, or correct the command",
                program=name,
            ),
        )
    return [found, *argv[1:]]


def _run(argv: List[str], written: List[str], folder: str, programs: Programs) -> None:
    shown_command = command_line(written, os.name == "nt")
    programs.send_text(f"$ {shown_command}\n")
    try:
        result = programs.run(argv, cwd=folder)
    except OSError as error:
        raise OperationError(
            "setup",
            message(
                "setup.not-started",
                "the setup command {command} can't be started: {error}",
                command=shown_command,
                error=error.strerror or str(error),
            ),
        ) from None
    if result.status != 0:
        raise OperationError(
            "setup",
            message(
                "setup.failed",
                "the setup command {command} ended with exit code {status}: {lines: / }",
                command=shown_command,
                status=result.status,
                lines=[line[-300:] for line in result.tail[-_SHOWN:]],
            ),
            message(
                "setup.failed.remedy",
                "correct the command under `setup` in nodes.yaml, or install what it needs on this node",
            ),
        )
