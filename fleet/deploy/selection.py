"""Notices about the selected files before a transfer: large files, and files that were left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from agent.wire.message import EMPTY, Message, message
from fleet.deploy.ignore import Excluder
from fleet.deploy.scan import Excluded, Scan, SourceFile
from fleet.events import Level

#: What is excluded and smaller needs no remark, nor does a smaller file that is sent. In bytes.
LARGE_EXCLUDED = 10 << 20
LARGE_FILE = 50 << 20
#: Of each kind, the largest are listed one by one.
_MAX_LISTED = 10
#: Of what runs have written, so many are named.
_MAX_PATHS = 5

T = TypeVar("T")
#: Returns those of its arguments that it has not been given before.
Filter = Callable[[Iterable[T]], list[T]]


class Remark(NamedTuple):
    """A notice about the files of a deploy, with its remedy."""

    level: Level
    text: Message
    remedy: Message = EMPTY


def selection_remarks(scan: Scan, new: Filter[Excluded | SourceFile | str]) -> Iterator[Remark]:
    """Yield the remarks about those facts of a scan that are ``new``."""
    excluded = [
        one
        for one in scan.excluded
        if one.excluder != "outputs" and (one.size >= LARGE_EXCLUDED or not one.complete)
    ]
    yield from _excluded(_largest([one for one in new(excluded) if isinstance(one, Excluded)]))
    outputs = new(one for one in scan.excluded if one.excluder == "outputs" and one.files)
    yield from _outputs(_largest([one for one in outputs if isinstance(one, Excluded)]))
    large = [file for file in scan.files if file.size >= LARGE_FILE]
    yield from _large(_largest([file for file in new(large) if isinstance(file, SourceFile)]))
    yield from changing_remarks(str(path) for path in new(scan.changing))


def changing_remarks(paths: Iterable[str]) -> Iterator[Remark]:
    """Yield a remark about each file that is not sent since it keeps changing."""
    for path in paths:
        yield Remark(
            "warning",
            message("deploy.keeps-changing", "{path} keeps changing and is not sent", path=path),
            message(
                "deploy.keeps-changing.remedy",
                "stop the program that writes it and deploy again if the nodes need it",
            ),
        )


def _excluded(found: Sequence[Excluded]) -> Iterator[Remark]:
    for one in found[:_MAX_LISTED]:
        yield Remark("info", _left_here(one), _how_to_send(one))
    if rest := found[_MAX_LISTED:]:
        yield Remark(
            "info",
            message(
                "deploy.more-excluded",
                "{count:n more entry/entries} not sent ({size:bytes})",
                count=len(rest),
                size=sum(one.size for one in rest),
            ),
        )


def _outputs(found: Sequence[Excluded]) -> Iterator[Remark]:
    """Yield one remark about all that runs have written."""
    if found:
        files, size = sum(one.files for one in found), sum(one.size for one in found)
        paths = [one.path for one in found[:_MAX_PATHS]]
        yield Remark(
            "info",
            message(
                "deploy.outputs",
                "left alone: {files:n file}, {size:bytes} written by runs ({paths})",
                files=files,
                size=size,
                paths=[*paths, "..."] if len(found) > _MAX_PATHS else paths,
            ),
            message(
                "deploy.outputs.remedy",
                "if the nodes need one of them, write !/{path} into .dtuiignore",
                path=found[0].path,
            ),
        )


_BY: dict[Excluder, Message] = {
    ".gitignore": message("deploy.excluded-by.gitignore", "excluded by .gitignore"),
    ".dtuiignore": message("deploy.excluded-by.dtuiignore", "excluded by .dtuiignore"),
}


def _left_here(one: Excluded) -> Message:
    by = _BY.get(one.excluder, EMPTY)
    if one.complete:
        return message(
            "deploy.excluded",
            "{path} is not sent: {files:n file}, {size:bytes}, {by}",
            path=one.path,
            files=one.files,
            size=one.size,
            by=by,
        )
    return message(
        "deploy.excluded-at-least",
        "{path} is not sent: more than {files:n file}, {size:bytes}, {by}",
        path=one.path,
        files=one.files,
        size=one.size,
        by=by,
    )


def _how_to_send(one: Excluded) -> Message:
    if one.excluder == ".dtuiignore":
        return EMPTY  # the user asked for exactly this
    return message(
        "deploy.excluded.remedy",
        "if the nodes need it, write !/{path} into .dtuiignore, or describe it as `data` in nodes.yaml",
        path=one.path,
    )


def _large(found: Sequence[SourceFile]) -> Iterator[Remark]:
    remedy = message("deploy.large-file.remedy", "if the nodes do not need it, list it in .dtuiignore")
    for file in found[:_MAX_LISTED]:
        yield Remark(
            "info",
            message(
                "deploy.large-file",
                "{path} ({size:bytes}) is sent with the code",
                path=file.path,
                size=file.size,
            ),
            remedy,
        )
    if rest := found[_MAX_LISTED:]:
        yield Remark(
            "info",
            message(
                "deploy.more-large-files",
                "{count:n more large file} ({size:bytes}) sent with the code",
                count=len(rest),
                size=sum(file.size for file in rest),
            ),
            remedy,
        )


Sized = TypeVar("Sized", Excluded, SourceFile)


def _largest(found: Sequence[Sized]) -> list[Sized]:
    return sorted(found, key=lambda one: (-one.size, one.path))
