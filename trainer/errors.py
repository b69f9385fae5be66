"""Errors that end the trainer on purpose; each has an exit status and a remedy."""

from __future__ import annotations


class TrainerError(Exception):
    """An error that the user has to fix; ``remedy`` describes how. Exit status 1."""

    status = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  -> {self.remedy}" if self.remedy else message


class ConfigError(TrainerError):
    """The configuration is not valid; the message lists every fault. Exit status 2."""

    status = 2


class PretrainedError(TrainerError):
    """The pretrained text encoder cannot be loaded, or is not the expected one. Exit status 2."""

    status = 2


class DataError(TrainerError):
    """There is nothing to train on, or the nodes have different data. Exit status 2."""

    status = 2


class NotDistributedError(TrainerError):
    """The ranks would train separate models instead of one."""


class CheckpointError(TrainerError):
    """A checkpoint cannot be used."""


class DivergedError(TrainerError):
    """The loss is NaN or infinite."""
