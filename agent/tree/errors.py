"""Why a deploy can't be done on this node, said for a person."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import Iterator

from agent.paths import PathRejected, shown
from agent.server import OperationError
from agent.tree.commit import CommitFailed
from agent.tree.format import ListError
from agent.tree.lock import Busy
from agent.tree.receive import Damaged

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def is_full(error: OSError) -> bool:
    """Return whether the disk, or the user's share of it, is full."""
    return error.errno in _FULL


def disk_full(root: str, detail: str) -> OperationError:
    """Return the error for a disk that has no room for the deploy."""
    return OperationError(
        "disk-full",
        f"no room on the disk of {shown(root)}: {detail}; nothing was changed",
        "free space there, or leave data out with .dtuiignore, and deploy again",
    )


@contextmanager
def explained(root: str) -> Iterator[None]:
    """Turn what goes wrong with the project at ``root`` into OperationError."""
    try:
        yield
    except PathRejected as error:
        raise OperationError(
            "path", str(error), "rename it, remove the link, or list it in .dtuiignore"
        ) from None
    except Busy as error:
        raise OperationError(
            "busy",
            f"{error}",
            "wait for it, or end that console; if that machine is gone, remove .dtui/deploy.lock",
        ) from None
    except (Damaged, ListError) as error:
        raise OperationError("damaged", str(error), "deploy again; nothing was changed") from None
    except CommitFailed as error:
        raise OperationError(
            "in-use",
            f"{error}; everything was put back as it was",
            "close the program that has it open (a running training?), and deploy again",
        ) from None
    except OSError as error:
        if is_full(error):
            raise disk_full(root, error.strerror or "full") from None
        where = shown(str(error.filename)) if error.filename else shown(root)
        raise OperationError(
            "filesystem",
            f"{where}: {error.strerror or error}",
            "check the folder and the user's rights to it",
        ) from None
