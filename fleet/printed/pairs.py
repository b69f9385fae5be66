"""Figures in lines of text, JSON and printed dictionaries: ``step 10/100 loss 0.3``."""

from __future__ import annotations

import re

from fleet.printed.figures import NUMBER, Figures, to_count, to_float, to_seconds

_STEP_WORDS = (
    r"(?:global|train(?:ing)?|current|optimizer|optim)?[ _/-]?"
    r"(?:steps?|iter(?:ation)?s?|it|batch(?:es)?|mini-?batch|num_updates|updates?)"
)
#: A count, perhaps with a total: ``step 10``, ``Step [100/600]``, ``Iter(train) [ 5/10]``, ``epoch 3 of 9``.
_COUNT = re.compile(
    rf"(?<![\w.])(?P<key>{_STEP_WORDS}|epochs?|train(?=:\s*\d+\s*\[))[\"']?"
    r"\s*(?:\((?P<split>train\w*|val\w*|test\w*|eval\w*)\))?\s*[:=#]?\s*[\[(#]?\s*"
    r"(?P<count>\d[\d,]{0,24})(?P<fraction>\.\d{1,24})?(?:\s*(?:/|of)\s*(?P<total>\d[\d,]{0,24}))?(?!\d|[:-]\d|%)",
    re.IGNORECASE,
)
#: A count without a word: ``[ 10/391]`` after the epoch (torchvision, PyTorch's examples, mmengine).
_BARE_COUNT = re.compile(
    r"(?:[\[(]\s*|:\s+)(?P<count>\d[\d,]{0,24})\s*/\s*(?P<total>\d[\d,]{0,24})(?=\s*[\])( ]|\s*$)"
)
_PAIR = re.compile(
    rf"(?<![\w./-])[\"']?(?P<key>[A-Za-z](?:[\w./-]| (?=[A-Za-z])){{0,38}}?)[\"']?"
    rf"\s*(?:\([a-z]+\))?\s*(?:[:=]|\s)\s*[\[\"'(]?\s*(?P<value>{NUMBER})(?![\w:])",
    re.IGNORECASE,
)
_ETA = re.compile(
    r"\b(?:eta|remaining|time left)\b\s*[:=]?\s*"
    r"(?P<time>(?:\d+\s*days?,?\s*)?(?:\d+:)?\d+:\d\d|(?:\d+\s*[dhms]\s*)+)",
    re.IGNORECASE,
)
#: Words of lines about something other than training steps.
_OTHER_SPLIT = re.compile(
    r"\b(?:val(?:id(?:ation)?)?|eval(?:uat\w*)?|test(?:ing)?|predict\w*|inference|dev)\b[ _/:(]",
    re.IGNORECASE,
)
_EVALUATION_KEY = re.compile(
    r"(?:^|[ _./-])(?:val|valid|validation|eval|test|dev)(?:[ _./-]|$)", re.IGNORECASE
)
_SUMMARY_KEYS = frozenset(["train_runtime", "train_samples_per_second", "total_flos"])
_LOSS_ORDER = (
    "loss",
    "train_loss",
    "training_loss",
    "lm_loss",
    "avr_loss",
    "avg_loss",
    "total_loss",
    "step_loss",
)
_TOTAL_KEYS = frozenset(
    ["total_steps", "max_steps", "num_steps", "total_iterations", "max_iters", "total_iters"]
)
_EPOCH_TOTALS = frozenset(["num_epochs", "max_epochs", "total_epochs", "num_train_epochs", "epochs_total"])
_QUOTED = re.compile(
    r"""["']([A-Za-z_][\w./ -]{0,60})["']\s*:\s*["']?(""" + NUMBER + r""")["']?\s*(?=[,}\]])""", re.IGNORECASE
)
_STEP_KEYS = frozenset(
    ["step", "steps", "global_step", "iteration", "iter", "iterations", "current_step", "_step",
     "num_updates", "train_step", "update", "batch"]
)  # fmt: skip


def dictionary_figures(line: str) -> Figures | None:
    """Return the figures of a printed dictionary or a JSON line; None when the line is neither."""
    start = line.find("{")
    if start < 0 or not line.rstrip().endswith("}"):
        return None
    values = {_canonical(key): text for key, text in _QUOTED.findall(line[start:])}
    if not values:
        return None
    if _SUMMARY_KEYS & values.keys():
        return Figures()
    numbers = {key: to_float(text) for key, text in values.items()}
    step = next((to_count(text) for key, text in values.items() if _base(key) in _STEP_KEYS), None)
    total = next((to_count(text) for key, text in values.items() if _base(key) in _TOTAL_KEYS), None)
    epochs = next((to_count(text) for key, text in values.items() if _base(key) in _EPOCH_TOTALS), None)
    loss = _training_loss(numbers)
    if loss is None and any(_EVALUATION_KEY.search(key) for key in numbers):
        return Figures()
    epoch = next((number for key, number in numbers.items() if _base(key) == "epoch"), None)
    if loss is None and step is None:
        return None
    return Figures(step=step, steps=total, epoch=epoch, epochs=epochs, loss=loss, lr=_learning_rate(numbers))


def text_figures(line: str) -> Figures | None:
    """Return the figures of a line of text; None when it states no training progress."""
    counts: dict[str, re.Match[str]] = {}
    for found in _COUNT.finditer(line):
        word = found["key"].lower()
        # timm prints the epoch as ``Train: 5 [  50/1251 (  4%)]``.
        key = "epoch" if word == "train" or word.startswith("epoch") else "step"
        if found["split"] and not found["split"].lower().startswith("train"):
            return None
        counts.setdefault(key, found)
    if not counts:
        return None
    if _OTHER_SPLIT.search(line, 0, min(found.start() for found in counts.values())):
        return None
    numbers = values_in(line)
    loss, lr = _training_loss(numbers), _learning_rate(numbers)
    if loss is None and (_OTHER_SPLIT.search(line) or (lr is None and not _only_figures(line))):
        return None
    epoch_count, step_count = counts.get("epoch"), counts.get("step")
    bare = _bare_count(line, epoch_count) if step_count is None else None
    chosen = step_count or bare
    epoch = None if epoch_count is None else to_float(epoch_count["count"] + (epoch_count["fraction"] or ""))
    epochs = None if epoch_count is None else to_count(epoch_count["total"] or "")
    step = None if chosen is None else to_count(chosen["count"])
    total = None if chosen is None else to_count(chosen["total"] or "")
    # A total next to an epoch is that of the epoch, except for a step that is called global.
    within_epoch = (
        epoch is not None
        and total is not None
        and not (step_count is not None and "global" in step_count["key"].lower())
    )
    eta = _ETA.search(line)
    # torchvision prints the time that is left of the epoch, mmengine (``Epoch(train)``) that of the training.
    of_epoch_only = within_epoch and epoch_count is not None and not epoch_count["split"]
    return Figures(
        step=step,
        steps=total,
        within_epoch=within_epoch,
        epoch=epoch,
        epochs=epochs,
        loss=loss,
        lr=lr,
        eta=to_seconds(eta["time"]) if eta is not None and not of_epoch_only else None,
    )


def values_in(text: str) -> dict[str, float | None]:
    """Return the numbers of ``key: value``, ``key=value`` and ``key value`` by key, in their order."""
    found: dict[str, float | None] = {}
    for pair in _PAIR.finditer(text):
        found.setdefault(_canonical(pair["key"]), to_float(pair["value"]))
    return found


def loss_and_learning_rate(text: str) -> tuple[float | None, float | None]:
    """Return the training loss and the learning rate among the pairs of a bar's postfix."""
    numbers = values_in(text)
    return _training_loss(numbers), _learning_rate(numbers)


def _training_loss(numbers: dict[str, float | None]) -> float | None:
    """Return the training loss: ``loss`` itself first, then other names that end in it."""
    losses = {
        key: number
        for key, number in numbers.items()
        if number is not None and key.endswith("loss") and not _EVALUATION_KEY.search(key)
    }
    bare = {_base(key): number for key, number in losses.items()}
    for name in _LOSS_ORDER:
        if name in losses:
            return losses[name]
        if name in bare:
            return bare[name]
    return next(iter(losses.values()), None)


def _learning_rate(numbers: dict[str, float | None]) -> float | None:
    for key, number in numbers.items():
        if _base(key) in ("lr", "learning_rate") or key.endswith(("_lr", "learning_rate")):
            return number
    return None


def _canonical(key: str) -> str:
    return re.sub(r"[ -]+", "_", key.strip().lower())


def _base(key: str) -> str:
    """Return the last part of ``train/loss``."""
    return re.split(r"[./]", key)[-1]


def _bare_count(line: str, epoch: re.Match[str] | None) -> re.Match[str] | None:
    """Return the count in brackets that follows the epoch: ``Epoch: [0][10/391]``."""
    return None if epoch is None else _BARE_COUNT.search(line, max(0, epoch.end() - 1))


def _only_figures(line: str) -> bool:
    """Return whether a line consists of figures: ``step 10/100``, not ``step 1/4: download``."""
    rest = _COUNT.sub(" ", line, count=2)
    rest = re.sub(_PAIR, " ", rest)
    return len(_words(rest)) == 0


def _words(text: str) -> list[str]:
    """Return the words that are neither log levels nor units."""
    return [word for word in re.findall(r"[^\W\d_]{2,}", text) if word.lower() not in _FILLERS]


_FILLERS: frozenset[str] = frozenset(
    ["info", "debug", "ms", "sec", "secs", "seconds", "it", "its", "samples", "training", "train",
     "trainer", "rank", "of", "epoch", "step", "main", "eta", "elapsed"]
)  # fmt: skip
