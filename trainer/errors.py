"""What can end the trainer on purpose, each with an exit status and words for a person."""

from __future__ import annotations


class TrainerError(Exception):
    """Something a person has to change; ``remedy`` says what. Exit status 1."""

    status = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.remedy = remedy

    def __str__(self) -> str:
        what = super().__str__()
        return f"{what}\n  -> {self.remedy}" if self.remedy else what


class ConfigError(TrainerError):
    """The configuration is wrong; the text names every fault. Exit status 2."""

    status = 2


class PretrainedError(TrainerError):
    """The pretrained text encoder can't be had, or is another one. Exit status 2."""

    status = 2


class DataError(TrainerError):
    """There is nothing to train on, or the nodes hold different data. Exit status 2."""

    status = 2


class NotDistributedError(TrainerError):
    """The processes would train side by side instead of together."""


class CheckpointError(TrainerError):
    """A checkpoint can't be used."""


class DivergedError(TrainerError):
    """The loss is no longer a number."""
