"""The archive's entries: serve a console over stdin and stdout, supervise a run, and helpers."""

from __future__ import annotations

import os
import sys
from io import BufferedReader
from typing import List, Optional, cast


def serve(archive: str, digest: str) -> None:
    """Serve the protocol until the console disconnects (exit status 0) or a fault (3)."""
    from agent.server import Server

    # What a library or an operation prints by mistake must not end up between two frames.
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    stdin = cast(BufferedReader, sys.stdin.buffer)
    server = Server(stdin.read1, channel.write, archive=archive, digest=digest)
    # Threads of cancelled operations may sit in a system call: leave without joining them.
    os._exit(server.run())


def main(arguments: Optional[List[str]] = None) -> int:
    """Run ``agent.pyz`` with ``supervise RUN_FOLDER``, ``sample``, ``peer`` or ``trial FOLDER``."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) == 2 and words[0] == "supervise":
        from agent.supervisor import main as supervise

        return supervise(words[1])
    if words == ["sample"]:
        from agent.sampler.main import main as sample

        return sample()
    if len(words) == 2 and words[0] == "trial":
        from agent.checks.trial import main as trial

        return trial(words[1])
    if words == ["peer"]:
        from agent.checks.peer import main as peer

        return peer()
    sys.stderr.write("usage: agent.pyz supervise RUN_FOLDER | sample | peer | trial FOLDER\n")
    return 2
