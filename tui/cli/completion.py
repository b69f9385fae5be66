"""Shell completion, generated from the parser: commands, options, and the choices of options."""

from __future__ import annotations

import argparse
import json

from msgspec import Struct

from tui.i18n import Texts

SHELLS = ("bash", "zsh", "fish", "powershell")


class Option(Struct, frozen=True):
    """An option as a shell needs it; ``value`` is empty for a switch, else file, folder, choice or word."""

    names: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()


class Command(Struct, frozen=True):
    """A command, the empty name for ``dtui`` itself; ``choices`` are those of its first argument."""

    name: str
    help: str
    options: tuple[Option, ...]
    choices: tuple[str, ...] = ()


def script(parser: argparse.ArgumentParser, shell: str, texts: Texts) -> str:
    """Return the completion script of ``parser`` for one of SHELLS."""
    commands = _commands(parser, texts)
    return {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}[shell](commands)


def _commands(parser: argparse.ArgumentParser, texts: Texts) -> list[Command]:
    found = [_command("", "", parser, texts)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: _help(choice, texts) for choice in action._choices_actions}
            found += [
                _command(name, helps.get(name, ""), child, texts) for name, child in action.choices.items()
            ]
    return found


def _command(name: str, text: str, parser: argparse.ArgumentParser, texts: Texts) -> Command:
    options: list[Option] = []
    choices: tuple[str, ...] = ()
    for action in parser._actions:
        if action.option_strings:
            options.append(_option(action, texts))
        elif action.choices and not isinstance(action, argparse._SubParsersAction):
            choices = tuple(str(choice) for choice in action.choices)
    return Command(name, text, tuple(options), choices)


def _option(action: argparse.Action, texts: Texts) -> Option:
    choices = tuple(str(choice) for choice in action.choices or ())
    value = "" if action.nargs == 0 else {"FILE": "file", "DIR": "folder"}.get(str(action.metavar), "word")
    names = tuple(action.option_strings)
    return Option(names, _help(action, texts), "choice" if choices else value, choices)


def _help(action: argparse.Action, texts: Texts) -> str:
    return texts.translate(action.help or "")


def _words(command: Command, commands: list[Command]) -> str:
    words = [name for option in command.options for name in option.names]
    if not command.name:
        words = [other.name for other in commands if other.name] + words
    return " ".join([*command.choices, *words])


def _bash(commands: list[Command]) -> str:
    names = "|".join(command.name for command in commands if command.name)
    cases = []
    with_value = "|".join(
        sorted({name for one in commands for option in one.options if option.value for name in option.names})
    )
    for command in commands:
        for option in command.options:
            if option.value:
                act = {
                    "choice": f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$current"))',
                    "file": 'COMPREPLY=($(compgen -f -- "$current"))',
                    "folder": 'COMPREPLY=($(compgen -d -- "$current"))',
                    "word": "COMPREPLY=()",
                }[option.value]
                cases += [f'        "{command.name} {name}") {act}; return ;;' for name in option.names]
    words = [f'        "{one.name}") words="{_words(one, commands)}" ;;' for one in commands]
    return "\n".join(
        [
            '# bash completion of dtui; put into ~/.bashrc:  eval "$(dtui completion bash)"',
            "_dtui() {",
            '    local current="${COMP_WORDS[COMP_CWORD]}" before="" command="" word words due=""',
            '    [ "$COMP_CWORD" -gt 0 ] && before="${COMP_WORDS[COMP_CWORD-1]}"',
            '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            '        if [ "$due" ]; then due=""; continue; fi',
            f'        case "$word" in {names}) command="$word"; break ;; {with_value}) due=1 ;; esac',
            "    done",
            '    case "$command $before" in',
            *cases,
            "    esac",
            '    case "$command" in',
            *words,
            "    esac",
            '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
            "}",
            "complete -o filenames -F _dtui dtui",
            "",
        ]
    )


def _zsh(commands: list[Command]) -> str:
    def argument(option: Option) -> list[str]:
        act = {
            "": "",
            "choice": f":value:({' '.join(option.choices)})",
            "file": ":file:_files",
            "folder": ":folder:_files -/",
            "word": ":value: ",
        }[option.value]
        text = option.help.replace("[", "(").replace("]", ")").replace(":", " -").replace("'", "’")
        return [f"'{name}[{text}]{act}'" for name in option.names]

    def arguments(command: Command) -> str:
        given = [word for option in command.options for word in argument(option)]
        rest = f"':argument:({' '.join(command.choices)})'" if command.choices else "'*::argument:_files'"
        return " ".join([*given, rest])

    top = commands[0]
    listed = [f"'{one.name}:{one.help.replace(chr(39), '’').replace(':', ' -')}'" for one in commands[1:]]
    return "\n".join(
        [
            "#compdef dtui",
            "# zsh completion of dtui; save as _dtui in a folder of $fpath",
            "_dtui() {",
            "    local -a commands",
            f"    commands=({' '.join(listed)})",
            "    local context state line",
            f"    _arguments -C {' '.join(word for option in top.options for word in argument(option))} "
            "'1:command:->command' '*::rest:->rest'",
            '    case "$state" in',
            "        command) _describe command commands ;;",
            '        rest) case "$words[1]" in',
            *(f"            {one.name}) _arguments {arguments(one)} ;;" for one in commands[1:]),
            "        esac ;;",
            "    esac",
            "}",
            'if [ "$funcstack[1]" = _dtui ]; then _dtui "$@"; else compdef _dtui dtui; fi',
            "",
        ]
    )


def _fish(commands: list[Command]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    names = " ".join(command.name for command in commands if command.name)
    lines = ["# fish completion of dtui; save as ~/.config/fish/completions/dtui.fish", "complete -c dtui -f"]
    for command in commands:
        where = (
            f"__fish_seen_subcommand_from {command.name}"
            if command.name
            else "not __fish_seen_subcommand_from"
        )
        condition = quoted(where if command.name else f"{where} {names}")
        if command.name:
            lines.append(
                f"complete -c dtui -n {quoted(f'not __fish_seen_subcommand_from {names}')} "
                f"-a {command.name} -d {quoted(command.help)}"
            )
        if command.choices:
            lines.append(f"complete -c dtui -n {condition} -a {quoted(' '.join(command.choices))}")
        for option in command.options:
            flags = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
            )
            value = {
                "": "",
                "choice": f" -x -a {quoted(' '.join(option.choices))}",
                "file": " -r -F",
                "folder": " -x -a '(__fish_complete_directories)'",
                "word": " -x",
            }[option.value]
            lines.append(f"complete -c dtui -n {condition} {flags}{value} -d {quoted(option.help)}")
    return "\n".join([*lines, ""])


#: Finds out what is due at the cursor, from the words before it. Data is in front of it, in ``$commands``.
_POWERSHELL = """\
    # Lists of this size are read quickly, and a profile's StrictMode reaches into this block.
    Set-StrictMode -Off
    $before = @()
    $text = ''
    foreach ($element in @($tree.CommandElements | Select-Object -Skip 1)) {
        $at = $element.Extent.StartOffset
        if ($element.Extent.EndOffset -lt $cursor) {
            $before += $element.Extent.Text.Trim([char]34, [char]39)
        } elseif ($at -lt $cursor) {
            $text = $element.Extent.Text.Substring(0, $cursor - $at)
        }
    }
    $command = $commands[0]
    $due = $null
    foreach ($word in $before) {
        if ($due) {
            $due = $null
        } elseif ($word.StartsWith('-')) {
            # An option may stand before its command.
            $options = @($command) + $commands | ForEach-Object { $_.options }
            $due = @($options | Where-Object { $_.names -ccontains $word })[0] | Where-Object { $_.value }
        } elseif (-not $command.name) {
            $command = @(@($commands | Where-Object { $_.name -ceq $word }) + $command)[0]
        }
    }
    $option = ''
    if (-not $due -and $text -match '^(--[^=]+=)(.*)$') {
        $option = $Matches[1]
        $text = $Matches[2]
        $name = $option.TrimEnd('=')
        $due = @($command.options | Where-Object { $_.names -ccontains $name -and $_.value })[0]
    }
    $quote = ''
    if ($text -match '^["'']') {
        $quote = $Matches[0]
        $text = $text.Substring(1)
    }
    if ($due.value -in 'file', 'folder') {
        [System.Management.Automation.CompletionCompleters]::CompleteFilename($text) | Where-Object {
            $due.value -eq 'file' -or $_.ResultType -eq 'ProviderContainer'
        } | ForEach-Object {
            $whole = $option + $_.CompletionText
            $listed = $_.ListItemText
            [System.Management.Automation.CompletionResult]::new($whole, $listed, $_.ResultType, $_.ToolTip)
        }
        return
    }
    $offered = @()
    if ($due) {
        $offered = @($due.choices | ForEach-Object { @{ word = $_; tip = $due.help } })
    } elseif (-not $option) {
        $offered += @($command.choices | ForEach-Object { @{ word = $_; tip = $_ } })
        if (-not $command.name) {
            $named = $commands | Where-Object { $_.name }
            $offered += @($named | ForEach-Object { @{ word = $_.name; tip = $_.help } })
        }
        foreach ($one in $command.options) {
            $offered += @($one.names | ForEach-Object { @{ word = $_; tip = $one.help } })
        }
    }
    foreach ($one in $offered) {
        if ($one.word -and $one.word.StartsWith($text, [StringComparison]::OrdinalIgnoreCase)) {
            $tip = @(@($one.tip, $one.word) | Where-Object { $_ })[0]
            $whole = $option + $quote + $one.word + $quote
            [System.Management.Automation.CompletionResult]::new($whole, $one.word, 'ParameterValue', $tip)
        }
    }
}
"""


def _powershell(commands: list[Command]) -> str:
    # Lists, since the names of options differ in case only and Windows PowerShell's JSON has no such keys.
    data = [
        {
            "name": one.name,
            "help": one.help,
            "choices": one.choices,
            "options": [
                {"names": option.names, "help": option.help, "value": option.value, "choices": option.choices}
                for option in one.options
            ],
        }
        for one in commands
    ]
    lines = ",\n".join(json.dumps(one) for one in data)
    return "\n".join(
        [
            "# PowerShell completion of dtui; put into $PROFILE:",
            "#   dtui completion powershell | Out-String | Invoke-Expression",
            "Register-ArgumentCompleter -Native -CommandName 'dtui', 'dtui.exe' -ScriptBlock {",
            "    param($typed, $tree, $cursor)",
            "    $commands = @'",
            f"[\n{lines}\n]",
            "'@ | ConvertFrom-Json",
            _POWERSHELL,
        ]
    )
