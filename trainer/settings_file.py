"""Reads a training configuration from YAML, and reports all faults at once with their lines."""

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
    """Return the settings of a file after applying ``section.key=value`` overrides.

    Raises ConfigError, which lists every fault of the file and the overrides with its line and key.
    """
    reader = _Reader(str(path))
    values = reader.read_file(path)
    for text in overrides:
        reader.apply_override(text, values)
    if reader.faults:
        count = len(reader.faults)
        raise ConfigError("\n".join(reader.faults), f"correct {'this' if count == 1 else f'these {count}'}")
    return _settings(values)


def from_dict(sections: Mapping[str, Mapping[str, Any]]) -> Settings:
    """Return the settings of a ``Settings.as_dict``; unknown keys, of a newer version, are ignored."""
    return _settings(
        {
            name: {key: value for key, value in sections.get(name, {}).items() if key in _options_of(name)}
            for name in _SECTIONS
        }
    )


def _settings(values: Mapping[str, Mapping[str, Any]]) -> Settings:
    return Settings(**{name: kind(**values.get(name, {})) for name, kind in _SECTIONS.items()})


def _options_of(section: str) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(_SECTIONS[section])}


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.faults: list[str] = []

    def read_file(self, path: Path) -> dict[str, dict[str, Any]]:
        try:
            return self.read_text(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            self.faults.append(f"{path}: can't be read: {error.strerror or error}")
        except UnicodeDecodeError:
            self.faults.append(f"{path}: is not UTF-8; save it as UTF-8")
        return {}

    def read_text(self, text: str) -> dict[str, dict[str, Any]]:
        values: dict[str, dict[str, Any]] = {}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            self.faults.append(f"{self._file}:{line}: YAML: {error.problem}")
            return values
        for key, node in self._entries(root, ""):
            if self._check_known(key.value, _SECTIONS, self._location(key), ""):
                section = values.setdefault(key.value, {})
                for name, value in self._entries(node, key.value):
                    self._set(section, key.value, name.value, value, self._location(name))
        return values

    def apply_override(self, text: str, values: dict[str, dict[str, Any]]) -> None:
        path, equals, value = text.partition("=")
        section, dot, key = path.strip().partition(".")
        location = f"--set {text}"
        if not (equals and dot):
            self.faults.append(f"{location}: write it as section.key=value")
        elif self._check_known(section, _SECTIONS, location, ""):
            node = yaml.ScalarNode("tag:yaml.org,2002:str", value.strip())
            self._set(values.setdefault(section, {}), section, key, node, location)

    def _location(self, node: yaml.Node) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"

    def _entries(self, node: yaml.Node | None, section: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null")):
            return []
        if not isinstance(node, yaml.MappingNode):
            self.faults.append(f"{self._location(node)}: {section or 'the file'}: expected keys with values")
            return []
        entries, seen = [], set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(f"{self._location(key)}: a key must be one word")
            elif key.value in seen:
                self.faults.append(f"{self._location(key)}: {_dotted(section, key.value)}: is set twice")
            else:
                seen.add(key.value)
                entries.append((key, value))
        return entries

    def _check_known(self, name: str, names: Iterable[str], location: str, section: str) -> bool:
        names = list(names)
        if name in names:
            return True
        near = _in_other_sections(name) or difflib.get_close_matches(name, names, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(names)}"
        self.faults.append(f"{location}: {_dotted(section, name)}: unknown key{hint}")
        return False

    def _set(self, values: dict[str, Any], section: str, key: str, node: yaml.Node, location: str) -> None:
        options = _options_of(section)
        if not self._check_known(key, options, location, section):
            return
        path = _dotted(section, key)
        if not isinstance(node, yaml.ScalarNode):
            self.faults.append(f"{location}: {path}: expected one value, not a list or a group")
            return
        field = options[key]
        kind = typing.get_type_hints(_SECTIONS[section])[key]
        try:
            values[key] = _convert(node.value, kind)
        except ValueError:
            expected = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
            self.faults.append(f"{location}: {path}: {node.value!r} is not {expected}")
            return
        if fault := _bounds_fault(values[key], field.metadata):
            self.faults.append(f"{location}: {path}: {fault}")


def _dotted(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key


def _in_other_sections(name: str) -> list[str]:
    """Return ``section.key`` for each section that has a key of this name."""
    return [f"{section}.{name}" for section in _SECTIONS if name in _options_of(section)]


def _convert(text: str, kind: type) -> Any:
    if kind is bool:
        if text.lower() in _TRUE + _FALSE:
            return text.lower() in _TRUE
        raise ValueError(text)
    # From the raw text, because YAML reads `no` as a boolean (it is a precision) and `3e-4` as a string.
    return kind(text)


def _bounds_fault(value: Any, bounds: Mapping[str, Any]) -> str:
    if bounds["choices"] and value not in bounds["choices"]:
        near = difflib.get_close_matches(str(value), bounds["choices"], 1, 0.4)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{value!r} is none of {', '.join(bounds['choices'])}{hint}"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not finite"
    if bounds["minimum"] is not None and value < bounds["minimum"]:
        return f"{value} is below {bounds['minimum']:g}"
    if bounds["maximum"] is not None and value > bounds["maximum"]:
        return f"{value} is above {bounds['maximum']:g}"
    return ""


def find_faults(text: str, file: str) -> list[str]:
    """Return the faults of a configuration's text; ``file`` is its name in the messages."""
    reader = _Reader(file)
    reader.read_text(text)
    return reader.faults


if __name__ == "__main__":
    # For editors: reads a configuration from stdin and prints one line per fault.
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(*find_faults(sys.stdin.buffer.read().decode("utf-8-sig", "replace"), sys.argv[1]), sep="\n")
