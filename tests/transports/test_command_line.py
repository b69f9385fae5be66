"""One command line for all shells; the shells themselves read it in test_login_shells.py and tests/wine."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.login_shell import windows_words
from transports.command_line import UnsafeWord, command_line


@pytest.mark.parametrize(
    ("program", "written"),
    [
        ("python3", "python3"),
        ("/usr/bin/python3.11", "/usr/bin/python3.11"),
        ("./venv/bin/python", "./venv/bin/python"),
        (r"C:\Python312\python.exe", r'C:"\Python312\python.exe"'),
        (r"C:\Program Files (x86)\Python\python.exe", r'C:"\Program Files (x86)\Python\python.exe"'),
        ("C:/Python312/python.exe", 'C:"/Python312/python.exe"'),
        (r"D:\김 it's\python.exe", r"""D:"\김 it's\python.exe\"""".replace('\\"', '"')),
        (r"\\server\share\python.exe", r'\\s"erver\share\python.exe"'),
        ("/opt/my python/bin/python3", '/"opt/my python/bin/python3"'),
        (r".venv\Scripts\python.exe", r'.v"env\Scripts\python.exe"'),
        (r".\venv\python.exe", r'.\v"env\python.exe"'),
        ("한글/python", '한"글/python"'),
    ],
)
def test_the_quote_of_a_program_is_inside_the_word(program: str, written: str) -> None:
    assert command_line([program, "-V"]) == f"{written} -V"


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("-I", "-I"),
        ("-3", "-3"),
        ("a/b.c", "a/b.c"),
        ("-3.11", '"-3.11"'),
        ("-V:3.11", '"-V:3.11"'),
        ("-foo.bar", '"-foo.bar"'),
        ("@file", '"@file"'),
        ("a\tb", '"a\tb"'),
        ("한글", '"한글"'),
        ("it's", '"it\'s"'),
    ],
)
def test_arguments_that_a_shell_would_change_are_quoted(word: str, written: str) -> None:
    assert command_line(["python3", word]) == f"python3 {written}"


REFUSED = [
    *('a"b', "50%", "$HOME", "`id`", "a!b", "“a", "a”", "„a"),
    *("a\nb", "a\rb", "a\0b", "a\u2028b", "\ud800", "a\x85b", "a\x1bb"),
]


@pytest.mark.parametrize("word", REFUSED)
@pytest.mark.parametrize("form", ["any", "powershell"])
def test_words_that_no_quote_protects_are_refused(word: str, form: str) -> None:
    for argv in ([f"/opt/{word}/python"], ["python3", word]):
        with pytest.raises(UnsafeWord):
            command_line(argv, form)  # type: ignore[arg-type]


@pytest.mark.parametrize("word", ["", "--%", "a b\\", r"\\server\share x"])
def test_arguments_that_some_shell_would_drop_or_change_are_refused(word: str) -> None:
    with pytest.raises(UnsafeWord):
        command_line(["python3", word])


@pytest.mark.parametrize(
    "program", ["", "-x y", "~/my python", "(x86)/python", "&x/python", "'a'/python", "C:\\x\\"]
)
def test_programs_that_cannot_begin_a_line_are_refused(program: str) -> None:
    with pytest.raises(UnsafeWord):
        command_line([program])


def test_the_line_for_powershell_has_no_double_quotes() -> None:
    line = command_line([r"C:\it's mine\python.exe", "-I", "-q", "-i"], "powershell")
    assert line == r"& 'C:\it''s mine\python.exe' -I -q -i"
    with pytest.raises(UnsafeWord):
        command_line(["python3", "a b"], "powershell")


PATHS = st.from_regex(r"([A-Z]:\\|/|\\\\s)([^\\/]+[\\/])?python", fullmatch=True)


@given(PATHS, st.lists(st.text(min_size=1), max_size=3))
def test_windows_reads_the_words_of_every_line(program: str, arguments: list[str]) -> None:
    try:
        line = command_line([program, *arguments])
    except UnsafeWord:
        return
    assert windows_words(line) == (program, *arguments)
    assert not line.startswith('"')
    assert not re.search(r"[\n\r$%`!]", line)
