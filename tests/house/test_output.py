"""Nothing reaches a terminal except through the output layer: held against the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent

ROOT = Path(agent.__file__).parent.parent
#: The layer itself, and what writes no external text.
LAYER = {
    "tui/cli/output.py": "the output layer of commands",
    "tui/cli/streams.py": "the guard of stdout and stderr",
    "tui/widgets/plain.py": "the text widgets of the console",
    "transports/winrm/reliable/relay.py": "runs on a node, where stdout is the channel",
}
#: Further files that make segments: of rendered text, of pixels.
DRAWS = ("tui/widgets/span_widget.py", "tui/rendering/half_blocks.py", "tui/dialogs/plan.py")
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
#: Classes that show text, or read it as markup.
WIDGETS = {
    "Button", "Checkbox", "Collapsible", "DataTable", "Digits", "Header", "Footer", "Input", "Label",
    "ListItem", "Log", "Markdown", "MarkdownViewer", "MaskedInput", "OptionList", "Placeholder", "Pretty",
    "RadioButton", "RichLog", "Select", "SelectionList", "Static", "Switch", "Tab", "TabPane",
    "TabbedContent", "TextArea", "Tooltip", "Tree",
}  # fmt: skip
MARKUP = {"from_markup", "from_ansi", "render_str", "from_rich_text", "render_markup"}
TITLES = {"border_title", "border_subtitle", "tooltip", "sub_title", "title"}


def bypasses(source: str, name: str = "") -> Iterator[str]:
    """Yield what the source does past the output layer."""
    for node in ast.walk(ast.parse(source)):
        where = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names]
            module = getattr(node, "module", None) or ""
            if "getpass" in names or module == "getpass":
                yield f"{where}: getpass"
            if module == "rich.markup" or (module == "sys" and STREAMS & set(names)):
                yield f"{where}: {module}"
            if module == "rich" and "print" in names:
                yield f"{where}: rich.print"
        elif isinstance(node, ast.Attribute) and node.attr in STREAMS and _is(node.value, "sys"):
            yield f"{where}: sys.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from (f"{where}: {what}" for what in _calls(node, name))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and target.attr in TITLES:
                    yield f"{where}: {target.attr}"


def _calls(node: ast.Call, name: str) -> Iterator[str]:
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    bare = isinstance(node.func, ast.Name)
    if bare and called in ("print", "input", "breakpoint"):
        yield f"{called}()"
    if called in WIDGETS or called in MARKUP or (called == "Console" and bare):
        yield f"{called}()"
    if called in ("Segment", "Strip") and name.startswith("tui/") and name not in DRAWS:
        yield f"{called}()"
    if called == "write" and _is(getattr(node.func, "value", None), "os") and _is_output(node.args):
        yield "os.write()"
    if called in ("print_exc", "print_exception", "print_stack", "print_tb"):
        yield f"{called}()"
    if called == "copy_to_clipboard" and name != "tui/screens/log_requests.py":
        yield "copy_to_clipboard()"
    for keyword in node.keywords:
        constant = getattr(keyword.value, "value", None)
        if keyword.arg == "markup" and constant is not False:
            yield "markup="
        if keyword.arg == "ensure_ascii" and name.startswith("tui/cli/"):
            yield "ensure_ascii="


def _is_output(arguments: list[ast.expr]) -> bool:
    return bool(arguments) and isinstance(arguments[0], ast.Constant) and arguments[0].value in (1, 2)


def _is(node: ast.AST | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def sources() -> list[Path]:
    return [
        path for package in ("tui", "fleet", "transports") for path in sorted((ROOT / package).rglob("*.py"))
    ]


def test_everything_is_written_through_the_output_layer() -> None:
    found = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        if name not in LAYER:
            found += bypasses(path.read_text("utf-8"), name)
    assert found == []


def test_the_layer_is_there() -> None:
    assert all((ROOT / name).exists() for name in (*LAYER, *DRAWS))


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "import sys\nsys.stdout.write('x')",
        "import sys\nprint('x', file=sys.stderr)",
        "import sys\nsys.__stderr__.write('x')",
        "from sys import stdout",
        "from getpass import getpass",
        "import getpass",
        "from rich import print",
        "Console().print('x')",
        "Label(text, markup=False)",
        "widgets.Static(text)",
        "Text.from_markup(text)",
        "Content.from_markup(text)",
        "Text.from_ansi(text)",
        "Segment(text)",
        "panel.border_title = text",
        "panel.tooltip = text",
        "self.notify(text, markup=True)",
        "table.add(text, markup=flag)",
        "traceback.print_exc()",
        "os.write(1, data)",
        "self.app.copy_to_clipboard(text)",
    ],
)
def test_each_kind_of_bypass_is_found(source: str) -> None:
    assert list(bypasses(source, "tui/somewhere.py"))


def test_json_with_other_characters_than_ascii_is_found() -> None:
    assert list(bypasses("json.dumps(value, ensure_ascii=False)", "tui/cli/somewhere.py"))
