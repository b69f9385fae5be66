"""Progress bars of tqdm, rich, Lightning and Keras."""

from __future__ import annotations

import re

from msgspec import Struct

from fleet.printed.figures import Figures, to_count, to_float, to_seconds
from fleet.printed.pairs import loss_and_learning_rate

_COUNT = r"\d[\d,.]{0,24}[kKMGT]?"
#: tqdm: ``12%|███▏      | 120/1000 [00:12<01:28,  9.95it/s, loss=0.345]``. The description is before it.
_TQDM = re.compile(
    rf"(?P<percent>\d{{1,3}})%\|(?P<bar>[^|]*)\|\s*(?P<count>{_COUNT})/(?P<total>{_COUNT})(?P<tail>.*)"
)
#: tqdm without a total: ``120it [00:12,  9.95it/s, loss=0.3]``.
_TQDM_OPEN = re.compile(
    rf"(?<![\w./])(?P<count>{_COUNT})(?:it|steps?|batch(?:es)?)\s\[[\d:]+,\s*(?P<rate>[\d.]+|\?)(?P<unit>[^\s,\]]+)"
    r"(?:,\s*(?P<postfix>[^\]]*))?"
)
_TQDM_TIMES = re.compile(
    r"\[(?P<elapsed>[\d:]+)<(?P<left>[^,\]]*)(?:,\s*(?P<rate>[\d.]+|\?)(?P<unit>[^\s,\]]+))?(?:,\s*(?P<postfix>[^\]]*))?"
)
#: rich and Keras 3 draw lines, Keras 2 ``[=====>....]``; the counts are before or after it.
_DRAWN = re.compile(r"(?P<bar>[━╸╺─]{5,}|\[[=>.]{10,}\])")
_OF = re.compile(rf"(?<![\w.])(?P<count>{_COUNT})\s*/\s*(?P<total>{_COUNT})(?![\w:])")
_CLOCK = re.compile(r"(?<![\d.])(?:\d+:)?\d{1,2}:\d\d(?![\d:])|-:--:--")
_SPEED = re.compile(r"(?P<rate>\d+\.?\d*)\s?(?P<unit>it/s|s/it|ms/step|s/step|steps?/s|batch(?:es)?/s)")
_EPOCH = re.compile(r"\bepoch\w*\s*[:#]?\s*[\[(]?\s*(?P<epoch>\d+)(?:\s*/\s*(?P<epochs>\d+))?", re.IGNORECASE)

#: Descriptions of bars that show something other than training steps.
_OTHER_WORK = re.compile(
    r"download|upload|fetch|load|resolv|\bmap\b|filter|token|generat|sav|writ|extract|process|cach|valid|\bval\b|eval"
    r"|\btest|predict|sanity|sampl|infer|push|shard|compil|warm|index|copy|convert|collect|\bread|scan|import",
    re.IGNORECASE,
)
_OTHER_UNIT = re.compile(
    r"(?:[kKMGT]?i?B|files?|examples?|ex|shards?|tokens?|rows?|docs?)/s|s/(?:B|file|example|shard)"
)


class Bar(Struct, frozen=True, kw_only=True):
    """One state of a bar: its figures, and which bar it is."""

    #: The description without its numbers, which identifies the bar together with its total.
    title: str
    figures: Figures
    #: Whether it counts epochs instead of steps.
    counts_epochs: bool = False
    #: Whether it names epochs or steps, or carries a loss: a bar of training for certain.
    certain: bool = False


def bar_of(line: str) -> Bar | None:
    """Return the bar that a line shows, None without one or when it shows other work than training."""
    found = _TQDM.search(line)
    if found is not None:
        return _tqdm(line[: found.start()], found)
    found = _TQDM_OPEN.search(line)
    if found is not None:
        return _bar(
            line[: found.start()],
            count=to_count(found["count"]),
            total=None,
            unit=found["unit"],
            rate=to_float(found["rate"]),
            left=None,
            postfix=found["postfix"] or "",
        )
    drawn = _DRAWN.search(line)
    return _drawn(line, drawn) if drawn is not None else None


def _tqdm(description: str, found: re.Match[str]) -> Bar | None:
    times = _TQDM_TIMES.search(found["tail"])
    unit = (times["unit"] or "") if times is not None else ""
    postfix = (times["postfix"] or "") if times is not None else ""
    return _bar(
        description,
        count=to_count(found["count"]),
        total=to_count(found["total"]),
        unit=unit,
        rate=to_float(times["rate"] or "") if times is not None else None,
        left=to_seconds(times["left"]) if times is not None else None,
        postfix=postfix,
    )


def _drawn(line: str, drawn: re.Match[str]) -> Bar | None:
    before, behind = line[: drawn.start()], line[drawn.end() :]
    count = _OF.search(behind)
    if count is None:
        # Keras: ``10/100 ━━━━━━ 0s 5ms/step - loss: 0.5``.
        *_, count = [None, *_OF.finditer(before)]
        if count is None or before[count.end() :].strip():
            return None
        before = before[: count.start()]
    clocks = _CLOCK.findall(behind)
    speed = _SPEED.search(behind)
    keras = re.search(r"ETA:\s*(\S+)|\s(\d+s)\s", behind)
    left = to_seconds(clocks[1]) if len(clocks) > 1 else to_seconds(keras[1] or keras[2]) if keras else None
    # The figures follow the times; before them, "0:00:01" would be read as one.
    postfix = _CLOCK.sub(" ", behind if count.string is not behind else behind[count.end() :])
    return _bar(
        before,
        count=to_count(count["count"]),
        total=to_count(count["total"]),
        unit=speed["unit"] if speed is not None else "",
        rate=to_float(speed["rate"]) if speed is not None else None,
        left=left,
        postfix=_SPEED.sub(" ", postfix),
    )


def _bar(
    description: str,
    *,
    count: int | None,
    total: int | None,
    unit: str,
    rate: float | None,
    left: float | None,
    postfix: str,
) -> Bar | None:
    if _OTHER_WORK.search(description) or _OTHER_UNIT.fullmatch(unit):
        return None
    if count is None or (total is not None and count > total):
        return None
    loss, lr = loss_and_learning_rate(postfix)
    named = _EPOCH.search(description)
    title = re.sub(r"[\d\W_]+", " ", description).strip().lower()
    seconds = _seconds_per_step(rate, unit)
    if named is None and (title.startswith("epoch") or unit.startswith("epoch") or unit.endswith("/epoch")):
        return Bar(
            title=title or "epoch",
            figures=Figures(epoch=float(count), epochs=total, loss=loss, lr=lr, eta=left),
            counts_epochs=True,
            certain=True,
        )
    epochs = None if named is None else to_count(named["epochs"] or "")
    return Bar(
        title=title,
        figures=Figures(
            step=count,
            steps=total,
            within_epoch=named is not None,
            epoch=None if named is None else to_float(named["epoch"]),
            epochs=epochs,
            loss=loss,
            lr=lr,
            seconds=seconds,
            eta=left if named is None else None,
        ),
        certain=named is not None or loss is not None or bool(re.search(r"train|step|iter", title)),
    )


def _seconds_per_step(rate: float | None, unit: str) -> float | None:
    if not rate:
        return None
    if unit.startswith("ms/"):
        return rate / 1000
    return rate if unit.startswith("s/") else 1 / rate
