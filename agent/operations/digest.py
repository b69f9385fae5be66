"""``digest``: is what training reads here the same as elsewhere?

Arguments: ``project``, and either ``folder`` (below the project, or absolute) with ``budget`` in bytes, see
:func:`agent.checks.contents.folder_digest`; or ``files``: the upload is then a list of paths
(agent.tree.format), and items are pieces of ``{path: digest}``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict

from agent.checks.contents import folder_digest, text_digest
from agent.operations.run_arguments import project_of
from agent.paths import PathRejected, split
from agent.server import OperationError
from agent.tree.format import ListError, Unpacker, pack

if TYPE_CHECKING:
    from agent.server import Call

#: Larger files are data, not code.
_MOST_CODE = 4 << 20


def digest(call: Call) -> Dict[str, Any]:
    """Read and answer."""
    root = project_of(call)
    if call.args.get("folder") is not None:
        folder = os.path.join(root, os.path.expanduser(str(call.args["folder"])))
        return folder_digest(folder, int(call.args["budget"]), call.cancelled.is_set)
    unpacker = Unpacker()
    try:
        while True:
            piece = call.receive()
            if piece is None:
                break
            unpacker.feed(piece.payload)
        found = {
            str(path): text_digest(os.path.join(root, *split(str(path))), _MOST_CODE)
            for path in unpacker.value()
        }
    except (ListError, PathRejected) as error:
        raise OperationError("list", str(error), "") from None
    for part in pack(found):
        call.send(None, part)
    return {"files": len(found)}
