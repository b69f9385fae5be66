"""The result of a dry run, for the command line and the console."""

from __future__ import annotations

from collections import Counter

from agent.wire.message import Message, message
from fleet.events import DeployPreview, RunPreview


def would_change(preview: DeployPreview) -> Message:
    """Return what a deploy would do to one node, or to all of them."""
    parts = []
    if preview.files_to_send:
        parts.append(
            message(
                "dry-run.would-send",
                "would send {files:n file}, {size:bytes}",
                files=preview.files_to_send,
                size=preview.bytes_to_send,
            )
        )
    if preview.files_to_delete:
        parts.append(
            message("dry-run.would-delete", "would delete {files:n file}", files=preview.files_to_delete)
        )
    if preview.files_to_adjust:
        parts.append(
            message(
                "dry-run.would-adjust",
                "would set the time stamps of {files:n file}",
                files=preview.files_to_adjust,
            )
        )
    if not parts:
        return message("dry-run.no-change", "would change no file")
    return message("dry-run.would-change", "{parts:; }", parts=parts)


def would_start(preview: RunPreview) -> Message:
    """Return which ranks would start where, and their command."""
    ranks = Counter(rank.node for rank in preview.ranks)
    return message(
        "dry-run.would-start",
        "would start {count:n rank} ({ranks}), rendezvous at {address}:{port}: {command}",
        count=preview.world_size,
        ranks=[f"{node} {count}" for node, count in ranks.items()],
        address=preview.master_address,
        port=preview.master_port,
        command=preview.command,
    )
