"""``digest``: digests of what training reads, for the comparison between nodes.

Arguments: ``project``, and either ``folder`` (below the project, or absolute) with ``budget`` in bytes, see
:func:`agent.checks.contents.folder_digest`; or ``files``: the upload is then a list of paths
(agent.tree.format), and items are pieces of ``{path: digest}``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, List

from agent.checks.contents import folder_digest, text_digest
from agent.operations.run_arguments import project_of
from agent.paths import PathRejected, split
from agent.server import OperationError
from agent.tree.format import ListError, Unpacker, pack
from agent.wire.preflight import DigestArgs, DigestResult
from agent.wire.reasons import reason_of

if TYPE_CHECKING:
    from agent.server import Call

    Request = Call[DigestArgs, None, None]

#: Larger files are data, not code.
_MOST_CODE = 4 << 20


def digest(call: Request) -> DigestResult:
    """Read and answer."""
    root = project_of(call)
    wanted = call.args.get("folder")
    if wanted is not None:
        folder = os.path.join(root, os.path.expanduser(wanted))
        return {
            "folder": folder_digest(folder, call.args.get("budget", 0), call.cancelled.is_set),
            "files": 0,
        }
    unpacker = Unpacker()
    try:
        while True:
            piece = call.receive()
            if piece is None:
                break
            unpacker.feed(piece[1])
        found = {
            path: text_digest(os.path.join(root, *split(path)), _MOST_CODE)
            for path in unpacker.value(List[str])
        }
    except PathRejected as error:
        raise OperationError("list", error.message) from None
    except ListError as error:
        raise OperationError("list", reason_of(error)) from None
    for part in pack(found):
        call.send(None, part)
    return {"folder": None, "files": len(found)}
