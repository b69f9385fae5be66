"""Reads a training configuration: YAML with positions in, settings or every fault at once out."""

from __future__ import annotations

import dataclasses
import difflib
import math
import sys
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from trainer.errors import ConfigError
from trainer.settings import Settings

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_SECTIONS = typing.get_type_hints(Settings)


def load(path: Path, overrides: Iterable[str] = ()) -> Settings:
    """Return the settings of a file, changed by ``section.key=value`` texts.

    Raises ConfigError that lists every fault of file and overrides, each with its line and key.
    """
    reader = _Reader(str(path))
    values = reader.file(path)
    for text in overrides:
        reader.override(text, values)
    if reader.faults:
        count = len(reader.faults)
        raise ConfigError("\n".join(reader.faults), f"correct {'this' if count == 1 else f'these {count}'}")
    return _settings(values)


def from_dict(sections: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Return the settings that ``Settings.as_dict`` gave; unknown keys (of a newer version) are left out."""
    return _settings(
        {
            name: {key: value for key, value in sections.get(name, {}).items() if key in _options(name)}
            for name in _SECTIONS
        }
    )


def _settings(values: Mapping[str, Mapping[str, Any]]) -> Settings:
    return Settings(**{name: kind(**values.get(name, {})) for name, kind in _SECTIONS.items()})


def _options(section: str) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(_SECTIONS[section])}


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.faults: list[str] = []

    def file(self, path: Path) -> dict[str, dict[str, Any]]:
        try:
            return self.text(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            self.faults.append(f"{path}: can't be read: {error.strerror or error}")
        except UnicodeDecodeError:
            self.faults.append(f"{path}: is not UTF-8; save it as UTF-8")
        return {}

    def text(self, text: str) -> dict[str, dict[str, Any]]:
        values: dict[str, dict[str, Any]] = {}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.faults.append(f"{self._file}:{line}: YAML: {error.problem}")
            return values
        for key, node in self._entries(root, ""):
            if self._known(key.value, _SECTIONS, self._at(key), ""):
                section = values.setdefault(key.value, {})
                for name, value in self._entries(node, key.value):
                    self._set(section, key.value, name.value, value, self._at(name))
        return values

    def override(self, text: str, values: dict[str, dict[str, Any]]) -> None:
        path, equals, value = text.partition("=")
        section, dot, key = path.strip().partition(".")
        where = f"--set {text}"
        if not (equals and dot):
            self.faults.append(f"{where}: write it as section.key=value")
        elif self._known(section, _SECTIONS, where, ""):
            node = yaml.ScalarNode("tag:yaml.org,2002:str", value.strip())
            self._set(values.setdefault(section, {}), section, key, node, where)

    def _at(self, node: yaml.Node) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"

    def _entries(self, node: yaml.Node | None, section: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")):
            return []
        if not isinstance(node, yaml.MappingNode):
            self.faults.append(f"{self._at(node)}: {section or 'the file'}: expected keys with values")
            return []
        entries, seen = [], set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(f"{self._at(key)}: a key has to be one word")
            elif key.value in seen:
                self.faults.append(f"{self._at(key)}: {_path(section, key.value)}: stands there twice")
            else:
                seen.add(key.value)
                entries.append((key, value))
        return entries

    def _known(self, name: str, names: Iterable[str], where: str, section: str) -> bool:
        names = list(names)
        if name in names:
            return True
        near = _elsewhere(name) or difflib.get_close_matches(name, names, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names)}"
        self.faults.append(f"{where}: {_path(section, name)}: unknown key{hint}")
        return False

    def _set(self, values: dict[str, Any], section: str, key: str, node: yaml.Node, where: str) -> None:
        options = _options(section)
        if not self._known(key, options, where, section):
            return
        path = _path(section, key)
        if not isinstance(node, yaml.ScalarNode):
            self.faults.append(f"{where}: {path}: expected one value, not a list or a group")
            return
        field = options[key]
        kind = typing.get_type_hints(_SECTIONS[section])[key]
        try:
            values[key] = _converted(node.value, kind)
        except ValueError:
            expected = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
            self.faults.append(f"{where}: {path}: {node.value!r} is not {expected}")
            return
        if fault := _out_of_bounds(values[key], field.metadata):
            self.faults.append(f"{where}: {path}: {fault}")


def _path(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key


def _elsewhere(name: str) -> list[str]:
    """Return the full name of a known key that stands in another section than the reader looked in."""
    return [f"{section}.{name}" for section in _SECTIONS if name in _options(section)]


def _converted(text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ValueError(text)
    # By the raw text, so that YAML's `no` is a precision and `3e-4` a number.
    return kind(text)


def _out_of_bounds(value: Any, bounds: Mapping[str, Any]) -> str:
    if bounds["choices"] and value not in bounds["choices"]:
        near = difflib.get_close_matches(str(value), bounds["choices"], 1, 0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{value!r} is none of {', '.join(bounds['choices'])}{hint}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not finite"
    if bounds["least"] is not None and value < bounds["least"]:
        return f"{value} is below {bounds['least']:g}"
    if bounds["most"] is not None and value > bounds["most"]:
        return f"{value} is above {bounds['most']:g}"
    return ""


def faults_of(text: str, file: str) -> list[str]:
    """Return what is wrong with a configuration's text, as :func:`load` would say it of ``file``."""
    reader = _Reader(file)
    reader.text(text)
    return reader.faults


if __name__ == "__main__":
    # For editors: a text in, a line for each fault out.
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(*faults_of(sys.stdin.buffer.read().decode("utf-8-sig", "replace"), sys.argv[1]), sep="\n")
