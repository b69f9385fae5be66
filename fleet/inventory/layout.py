"""Edits of a YAML text that leave every other character, comment and line where it is."""

from __future__ import annotations

import yaml

from fleet.inventory.yaml_text import value


def put_key(text: str, item: yaml.MappingNode, key: str, content: object | None) -> str:
    """Return the text with ``item[key]`` set to the content, or without the key when that is None."""
    pairs = item.value
    index = next((number for number, (name, _) in enumerate(pairs) if name.value == key), None)
    if index is None:
        return (
            text
            if content is None
            else _add_key(text, item, f"{key}: {value(content, flow=bool(item.flow_style))}")
        )
    name, old = pairs[index]
    if content is not None:
        colon = text.index(":", name.end_mark.index)
        return (
            text[:colon]
            + f": {value(content, flow=bool(item.flow_style))}"
            + text[max(content_end(old), colon + 1) :]
        )
    if index + 1 < len(pairs) and (item.flow_style or index == 0):
        return text[: name.start_mark.index] + text[pairs[index + 1][0].start_mark.index :]
    if item.flow_style:
        return text[: content_end(pairs[index - 1][1])] + text[content_end(old) :]
    return text[: line_start(text, name.start_mark.index)] + text[line_end(text, content_end(old)) :]


def item_lines(text: str, item: yaml.Node) -> tuple[int, int]:
    """Return the start and end of the lines of a list's entry, the dash included."""
    dash = text.rindex("-", 0, item.start_mark.index)
    return line_start(text, dash), line_end(text, content_end(item))


def insert_lines(text: str, at: int, lines: list[str]) -> str:
    """Return the text with whole lines put in at a line's beginning or at the end of the text."""
    newline = "\r\n" if "\r\n" in text else "\n"
    before = text[:at] if not text[:at] or text[:at].endswith("\n") else text[:at] + newline
    return before + "".join(line + newline for line in lines) + text[at:]


def content_end(node: yaml.Node) -> int:
    """Return the offset after a node's last character; a block's own end mark is after later comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return content_end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)


def line_start(text: str, at: int) -> int:
    """Return the offset at which the line of an offset starts."""
    return text.rfind("\n", 0, at) + 1


def line_end(text: str, at: int) -> int:
    """Return the offset after the line break of an offset's line."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def _add_key(text: str, item: yaml.MappingNode, pair: str) -> str:
    if item.flow_style:
        end = content_end(item.value[-1][1]) if item.value else item.start_mark.index + 1
        return f"{text[:end]}{', ' if item.value else ''}{pair}{text[end:]}"
    column = item.value[0][0].start_mark.column
    return insert_lines(text, line_end(text, content_end(item)), [" " * column + pair])
