"""``mesh``: forwards commands to ``agent.pyz peer`` under the training interpreter, and its answers back.

Arguments: ``project``. Each upload piece's body is a command, each item's body an answer, see
:mod:`agent.checks.peer`; the first item is ``{"interpreter", "trains"}``: who listens and connects, and
whether that is the interpreter that the deploy set up. The upload's end ends the peer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from agent.environments.variables import environment_of
from agent.operations.run_arguments import project_of
from agent.server import Cancelled, OperationError
from agent.supervisor.folder import environment_interpreter
from agent.wire.decode import decode
from agent.wire.frames import parse_json
from agent.wire.mesh import MeshAnswer, MeshCommand
from agent.wire.message import message
from agent.wire.operation import Nothing
from agent.wire.operations import MESH
from agent.wire.reasons import system_reason
from agent.wire.runs import NodeArgs

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[NodeArgs, MeshCommand, MeshAnswer]


def mesh(call: Request) -> Nothing:
    """Serve until the upload ends."""
    chosen = environment_interpreter(project_of(call), call.args.get("node"))
    trains = chosen is not None and os.path.isfile(chosen)
    interpreter = chosen if chosen is not None and trains else sys.executable
    try:
        process = subprocess.Popen(
            [interpreter, "-I", call.archive, "peer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment_of(interpreter, {}, {}).environment,
            creationflags=0x08000000 if os.name == "nt" else 0,
        )
    except OSError as error:
        raise OperationError(
            "interpreter",
            message(
                "mesh.not-started",
                "{program} can't be started: {error}",
                program=interpreter,
                error=system_reason(error),
            ),
            message("mesh.not-started.remedy", "deploy again"),
        ) from None
    assert process.stdin is not None
    assert process.stdout is not None
    relay = threading.Thread(target=_relay, args=(call, process.stdout), daemon=True)
    try:
        call.send({"interpreter": interpreter, "trains": trains})
        relay.start()
        while True:
            piece = call.receive()
            if piece is None:
                break
            process.stdin.write(json.dumps(piece[0]).encode("ascii") + b"\n")
            process.stdin.flush()
        process.stdin.close()
        process.wait(5.0)
    except OSError as error:
        ended = message("mesh.ended-early", "the port probe's process ended early: {error}", error=str(error))
        raise OperationError("peer", ended) from None
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
        if relay.is_alive():
            relay.join(1.0)
    return {}


def _relay(call: Request, output: IO[bytes]) -> None:
    with suppress(Cancelled, ValueError):
        for line in output:
            call.send(decode(MESH.item, parse_json(line)))
