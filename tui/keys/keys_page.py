"""The page of all keys, made from the declarations of actions; ``make generated`` updates the files."""

from __future__ import annotations

from tui.i18n import Texts
from tui.keys.registry import SCOPES, keys_of, of_scope

_HEADS = {
    "en": """\
# Keys

[한국어](keys.ko.md)

Written by `make generated` from the declarations of actions; a test compares both.

Your own keys: `keys.yaml` in `~/.config/dtui/` (Windows: `%APPDATA%\\dtui\\`), one line per action, such as
`app.up: f5`. Several keys are separated by commas, named as Textual names them (`ctrl+u`, `shift+tab`).

`:` runs any action below by its name, from any mode: `:preflight start` (or `:preflight.start`),
`:nodes filter gpu`, `:stop`, `:theme dtui-day`, `:node gpu1`. In the action's own mode the last part of the
name is enough. Tab completes names. Only the keys of lists have no command.
""",
    "ko": """\
# 키

[English](keys.md)

`make generated`가 동작의 선언에서 만듭니다. 테스트가 둘을 비교합니다.

직접 정한 키는 `~/.config/dtui/`(Windows: `%APPDATA%\\dtui\\`)의 `keys.yaml`에 동작마다 한 줄씩
`app.up: f5`처럼 적습니다. 키가 여럿이면 쉼표로 나누고, 이름은 Textual의 것을 씁니다(`ctrl+u`, `shift+tab`).

`:`은 아래의 모든 동작을 이름으로 받아, 어느 모드에서든 먼저 제자리로 갑니다: `:preflight start`(또는
`:preflight.start`), `:nodes filter gpu`, `:stop`, `:theme dtui-day`, `:node gpu1`. 그 모드 안에서는
이름만으로 됩니다. Tab이 나머지를 채웁니다. 목록에서 움직이는 것만 키로 합니다.
""",
}
_COLUMNS = {"en": "| key | action | what it does |", "ko": "| 키 | 동작 | 하는 일 |"}


def page(lang: str = "en") -> str:
    """Return the page in a language of the console."""
    texts = Texts(lang)
    lines = [_HEADS[lang]]
    for scope in SCOPES:
        lines += [
            f"## {texts(f'help.scope.{scope}')}",
            "",
            _COLUMNS[lang],
            "|---|---|---|",
        ]
        for action in of_scope(scope):
            keys = " ".join(f"`{key}`" for key in keys_of(action))
            lines.append(f"| {keys} | `{action.id}` | {texts.translate(action.help)} |")
        lines.append("")
    return "\n".join(lines)
