"""Every option as a Markdown table: ``python -m trainer.options``; docs/trainer.md holds this table."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any

from trainer.settings import Settings


def options_table() -> str:
    """Return a Markdown table: option, default, meaning."""
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for section, kind in typing.get_type_hints(Settings).items():
        for option in dataclasses.fields(kind):
            choices = option.metadata["choices"]
            meaning = option.metadata["meaning"] + (f" ({', '.join(choices)})" if choices else "")
            lines.append(f"| `{section}.{option.name}` | {_format(option.default)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    print(options_table(), end="")
