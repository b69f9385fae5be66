"""The archive's two entries: serve a console over stdin and stdout, or supervise a run."""

from __future__ import annotations

import os
import sys
from io import BufferedReader
from typing import List, Optional, cast


def serve(archive: str, digest: str) -> None:
    """Speak the protocol until the console leaves; the exit status is 0 then, 3 after a fault."""
    from agent.server import Server

    # What a library or an operation prints by mistake must not end up between two frames.
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    stdin = cast(BufferedReader, sys.stdin.buffer)
    server = Server(stdin.read1, channel.write, archive=archive, digest=digest)
    # Threads of cancelled operations may sit in a system call: leave without joining them.
    os._exit(server.run())


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the archive from a command line: ``agent.pyz supervise RUN_FOLDER`` or ``agent.pyz sample``."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) == 2 and words[0] == "supervise":
        from agent.supervisor import main as supervise

        return supervise(words[1])
    if words == ["sample"]:
        from agent.sampler.main import main as sample

        return sample()
    sys.stderr.write("usage: agent.pyz supervise RUN_FOLDER | sample\n")
    return 2
