"""Why a deploy can't be done on this node, as messages for the user."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import Iterator

from agent.paths import PathRejected, ProjectRejected, shown
from agent.server import OperationError
from agent.tree.commit import CommitFailed
from agent.tree.format import ListError
from agent.tree.lock import Busy
from agent.tree.receive import Damaged
from agent.wire.message import Message, message
from agent.wire.reasons import reason_of, system_reason

_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def is_full(error: OSError) -> bool:
    """Return whether the disk, or the user's share of it, is full."""
    return error.errno in _FULL


def disk_full(what: Message) -> OperationError:
    """Return the error for a disk without room for the deploy; ``what`` names the disk."""
    remedy = message(
        "deploy.disk-full.remedy", "free space there, or leave data out with .dtuiignore, and deploy again"
    )
    return OperationError("disk-full", what, remedy)


@contextmanager
def explained(root: str) -> Iterator[None]:
    """Turn errors with the project at ``root`` into OperationError."""
    try:
        yield
    except ProjectRejected as error:
        raise OperationError("path", error.message, error.remedy) from None
    except PathRejected as error:
        remedy = message("deploy.path.remedy", "rename it, remove the link, or list it in .dtuiignore")
        raise OperationError("path", error.message, remedy) from None
    except Busy as error:
        remedy = message(
            "deploy.busy.remedy",
            "wait for it, or end that console; if that machine is gone, remove .dtui/deploy.lock",
        )
        raise OperationError("busy", error.message, remedy) from None
    except Damaged as error:
        raise OperationError("damaged", error.message, _again()) from None
    except ListError as error:
        raise OperationError("damaged", reason_of(error), _again()) from None
    except CommitFailed as error:
        raise OperationError(
            "in-use",
            message(
                "deploy.in-use",
                "{path}: {error}; everything was put back as it was",
                path=error.path,
                error=system_reason(error.error),
            ),
            message(
                "deploy.in-use.remedy",
                "close the program that has it open (a running training?), and deploy again",
            ),
        ) from None
    except OSError as error:
        if is_full(error):
            raise disk_full(
                message(
                    "deploy.disk-full",
                    "no room on the disk of {folder}: {error}; nothing was changed",
                    folder=shown(root),
                    error=error.strerror or "full",
                )
            ) from None
        raise OperationError(
            "filesystem",
            message(
                "deploy.file-system",
                "{path}: {error}",
                path=shown(str(error.filename)) if error.filename else shown(root),
                error=system_reason(error),
            ),
            message("deploy.file-system.remedy", "check the folder and the user's rights to it"),
        ) from None


def _again() -> Message:
    return message("deploy.damaged.remedy", "deploy again; nothing was changed")
