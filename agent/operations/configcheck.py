"""``configcheck``: the training program checks its own configuration.

Arguments: ``project``, ``config`` (path below it). The result is ``{"by_program", "faults", "values"}``;
``by_program`` is false when the program is not dtui's trainer or no training Python is known.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.environments.programs import Programs
from agent.environments.variables import environment_of
from agent.operations.run_arguments import project_of
from agent.paths import shown
from agent.supervisor.folder import environment_interpreter
from agent.wire.decode import decode
from agent.wire.frames import parse_json
from agent.wire.preflight import ConfigcheckArgs, ConfigcheckResult

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[ConfigcheckArgs, None, None]

_MARK = "DTUI-CONFIG "
_PROGRAM = r"""
import json, pathlib, sys
answer = {"by_program": True, "faults": [], "values": {}}
try:
    from trainer.errors import TrainerError
    from trainer.settings_file import load
except ImportError:
    answer["by_program"] = False
else:
    try:
        answer["values"] = load(pathlib.Path(sys.argv[1])).as_dict()
    except TrainerError as error:
        answer["faults"] = [line for line in str(error.args[0]).splitlines() if line.strip()]
sys.stdout.write("DTUI-CONFIG " + json.dumps(answer) + "\n")
"""


def configcheck(call: Request) -> ConfigcheckResult:
    """Have the training Python read the file."""
    nothing: ConfigcheckResult = {"by_program": False, "faults": [], "values": {}}
    root = shown(project_of(call))
    interpreter = environment_interpreter(root, call.args["node"])
    if interpreter is None or not os.path.isdir(root):
        return nothing
    program = os.path.join(root, interpreter)
    environment = environment_of(program, {}, {}).environment
    programs = Programs(_ignore, call.cancelled, environment, {})
    try:
        result = programs.run(
            [program, "-c", _PROGRAM, call.args["config"]], cwd=root, timeout=60.0, silent=True
        )
    except (OSError, TimeoutError):
        return nothing
    for line in result.tail:
        if line.startswith(_MARK):
            with suppress(ValueError):
                return decode(ConfigcheckResult, parse_json(line[len(_MARK) :].encode("utf-8")))
    return nothing


def _ignore(_: object) -> None:
    """Only the answer counts."""
