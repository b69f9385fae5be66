"""One registry: keys, screens, texts and the docs page agree."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from pathlib import Path

import pytest
from textual.app import App
from textual.dom import DOMNode

from tests.support.snapshots import ROOT
from tui.i18n import Texts
from tui.i18n.en import TEXTS
from tui.keys.action import MODES, declared_in
from tui.keys.keys_page import page
from tui.keys.registry import OWNERS, SCOPES, find, of_scope
from tui.rendering.status import MARKS
from tui.screens.help import WITHIN, help_lines


def owner(scope: str) -> type:
    module, name = OWNERS[scope].split(":")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("scope", SCOPES)
def test_every_action_is_carried_out_by_its_scope(scope: str):
    cls = owner(scope)
    declared = {action.method for action in of_scope(scope)}
    assert declared
    bound = {binding.id for binding in cls.BINDINGS}
    assert bound == {action.id for action in of_scope(scope) if action.keys}
    # A method of this name that is not declared would have no key and no help.
    own = {name[7:] for name in dir(cls) if name.startswith(f"action_{scope}_")}
    assert own == declared
    assert {action.scope for action in declared_in(cls)} == {scope}


@pytest.mark.parametrize("mode", MODES)
def test_no_key_means_two_things_in_one_place(mode: str):
    seen: dict[str, str] = {}
    # The focused widget's keys go before its screen's, and those before the app's: none may hide another.
    for scope in (*WITHIN[mode], "app"):
        for action in of_scope(scope):
            for key in action.keys:
                taken = seen.setdefault(key, action.id)
                assert taken == action.id or {taken, action.id} in HIDING, (mode, key, taken, action.id)


#: Two that share a key on purpose: one is only offered where the other is not.
HIDING = [{"matrix.left", "log.left"}]


def test_what_destroys_is_not_next_to_what_is_harmless():
    destroying = {"app.stop": "X", "nodes.remove": "D"}
    for name, key in destroying.items():
        found = find(name)
        assert found is not None
        assert found.keys == (key,)
        assert key.isupper()


def test_every_text_that_is_asked_for_exists():
    asked = set()
    for path in (ROOT / "tui").rglob("*.py"):
        asked |= set(re.findall(r"""texts\(\s*["']([a-z_.]+)["']""", path.read_text("utf-8")))
    assert len(asked) > 100
    assert asked - set(TEXTS) == set()


def test_every_text_is_asked_for():
    source = "".join(
        path.read_text("utf-8") for path in (ROOT / "tui").rglob("*.py") if "i18n" not in path.parts
    )
    built = {
        "mode",
        "link",
        "check",
        "route",
        "port",
        "stage",
        "step",
        "phase",
        "outcome",
        "level",
        "change",
        "indicator",
        "throttle",
        "bottleneck",
        "straggler",
        "help",
    }
    unused = [
        key
        for key in TEXTS
        if key not in source
        and key.split(".")[0] not in built
        and not key.startswith(
            (
                "run.",
                "config.",
                "preflight.",
            )
        )
    ]
    assert unused == []


def test_every_status_has_a_word():
    assert [
        f"{kind}.{value}" for kind in MARKS for value in MARKS[kind] if f"{kind}.{value}" not in TEXTS
    ] == []


def test_statuses_differ_without_their_colour():
    for kind, marks in MARKS.items():
        words = [Texts("en").word(kind, value) for value in marks]
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("mode", MODES)
def test_help_names_every_action_of_its_mode(mode: str):
    shown = "\n".join("".join(text for text, _ in line) for line in help_lines(mode, Texts("en"), {}, 200))
    for scope in (mode, "app"):
        for action in of_scope(scope):
            assert action.help in shown


@pytest.mark.parametrize(("lang", "name"), [("en", "keys.md"), ("ko", "keys.ko.md")])
def test_the_docs_pages_are_up_to_date(lang: str, name: str):
    assert (ROOT / "docs" / name).read_text("utf-8") == page(lang)


def test_no_attribute_shadows_one_of_textuals():
    """A name that Textual uses itself breaks things far away (``_nodes``, ``_running``, ``log`` ...)."""
    meant = {
        "DEFAULT_MODE",
        "can_focus",
        "cursor_blink",
        "theme",
        "virtual_size",
        "border_title",
        "border_subtitle",
        # An unexpected error ends the console with a sentence, not with Textual's traceback.
        "_exception",
        "_handle_exception",
        "_return_code",
    }
    wrong = []
    for path in sorted((ROOT / "tui").rglob("*.py")):
        if "cli" in path.parts or path.stem == "__main__":
            continue
        module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name, cls in vars(module).items():
            if inspect.isclass(cls) and cls.__module__ == module.__name__ and issubclass(cls, (DOMNode, App)):
                theirs = set().union(
                    *(names_of(base) for base in cls.__mro__ if base.__module__.startswith("textual"))
                )
                wrong += [f"{name}.{own}" for own in assigned(path, name) & theirs - meant]
    assert wrong == []


def assigned(path: Path, cls: str) -> set[str]:
    """Names that the class's methods assign on self, and its own private methods."""
    tree = next(
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef) and node.name == cls
    )
    names = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    methods = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return names | {name for name in methods if name.startswith("_") and not name.startswith("__")}


@functools.cache
def names_of(cls: type) -> set[str]:
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        source = ""
    return set(vars(cls)) | set(re.findall(r"self\.(\w+)\s*(?::[^=\n]+)?=[^=]", source))
