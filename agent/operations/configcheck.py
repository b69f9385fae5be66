"""``configcheck``: what the training program itself says of its configuration.

Arguments: ``project``, ``config`` (path below it). The result is ``{"by_program", "faults", "values"}``;
``by_program`` is false when the program is not dtui's trainer or no training Python is known.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Dict

from agent import command
from agent.operations.run_arguments import project_of
from agent.paths import shown
from agent.supervisor.folder import environment_interpreter

if TYPE_CHECKING:
    from agent.server import Call

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


def configcheck(call: Call) -> Dict[str, Any]:
    """Have the training Python read the file."""
    nothing: Dict[str, Any] = {"by_program": False, "faults": [], "values": {}}
    root = shown(project_of(call))
    interpreter = environment_interpreter(root)
    if interpreter is None or not os.path.isdir(root):
        return nothing
    run = partial(
        command.run, env=command.environment({}), cancelled=call.cancelled, output=_ignore, quiet=_ignore
    )
    try:
        result = run(
            [os.path.join(root, interpreter), "-c", _PROGRAM, str(call.args["config"])],
            cwd=root,
            timeout=60.0,
        )
    except (OSError, TimeoutError):
        return nothing
    for line in result.tail:
        if line.startswith(_MARK):
            answer: Dict[str, Any] = json.loads(line[len(_MARK) :])
            return answer
    return nothing


def _ignore(_: Any) -> None:
    """Only the answer counts."""
