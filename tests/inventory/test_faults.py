"""Faults of nodes.yaml: all of them are reported at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.inventory import Fault, InventoryError, load_inventory, parse_inventory


def faults_of(text: str | bytes, folder: Path) -> tuple[Fault, ...]:
    path = folder / "nodes.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    assert str(caught.value).splitlines() == [str(fault) for fault in caught.value.faults]
    return caught.value.faults


def lines(text: str | bytes, folder: Path) -> list[str]:
    return [str(fault).removeprefix(f"{folder / 'nodes.yaml'}:") for fault in faults_of(text, folder)]


def test_five_faults_at_once_each_with_line_column_and_key(tmp_path: Path) -> None:
    text = """\
run:
  prot: 29501
defaults:
  user: kim
  user: lee
nodes:
  - name: gpu[1-8]
    address: 192.168.1.[101-107]
  - name: gpu9
    address: 192.168.1.300
    port: 99999
"""
    assert lines(text, tmp_path) == [
        "2:3: run.prot: unknown key 'prot'; did you mean 'port'?",
        "5:3: defaults.user: the key is given twice, first in line 4; keep one",
        "8:14: nodes[0].address: the entry has 8 names (gpu[1-8]) and 7 addresses "
        "(192.168.1.[101-107]); give as many addresses as names",
        "10:14: nodes[1].address: '192.168.1.300' is not an IPv4 address; write four numbers from 0 to 255",
        "11:11: nodes[1].port: must be a port from 1 to 65535, not 99999",
    ]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{name: a, prot: 22}", "unknown key 'prot'; did you mean 'port'?"),
        ("{name: a, module: x}", "it belongs in run"),
        ("{name: a, port: ssh}", "must be a port, not 'ssh'"),
        ("{name: a, port: '22'}", "must be a port, not text; write 22 without quotes"),
        ("{name: a, port: 1e3}", "must be a port, not '1e3'"),
        ("{name: a, port: 0}", "must be a port from 1 to 65535, not 0"),
        ("{name: a, port: [22]}", "must be a port, not a list"),
        ("{name: a, gpus: []}", "write `gpus: 0`"),
        ("{name: a, gpus: [0, 0]}", "lists a GPU twice"),
        ("{name: a, gpus: [0, x]}", "nodes[0].gpus[1]: must be the number of a GPU"),
        ("{name: a, gpus: many}", "a number of GPUs, a list such as [0, 1], or all, not 'many'"),
        ("{name: a, user: }", "has no value"),
        ("{name: a, user: ''}", "is empty"),
        ("{name: a, transport: sssh}", "did you mean 'ssh'?"),
        ("{name: a, project: train}", "'train' is not an absolute path"),
        ("{name: a, project: 'C:\\'}", "the root of a disk"),
        ("{name: a, project: 'd:/'}", "the root of a disk"),
        ("{name: a, project: /}", "the root of a disk"),
        ("{name: a, project: '\\\\server\\share\\p'}", "is on a network share"),
        ("{name: a, project: '\\\\?\\C:\\p'}", "is on a network share"),
        ("{name: a, project: 'C:\\train\\..\\..\\Windows'}", "has an empty, '.' or '..' part"),
        ("{name: a, project: 'C:\\train\\aux'}", "reserves for a device"),
        ("{name: a, project: 'C:\\a?b'}", "a character that Windows does not allow"),
        (f"{{name: a, project: 'C:\\{'p' * 232}'}}", "235 characters"),
        ('{name: a, project: "C:\\new"}', "write a Windows path without quotes or in single quotes"),
        ("{name: a, env: {A-B: 1}}", "not the name of an environment variable"),
        ("{name: a, env: [A]}", "must be variables such as {NCCL_DEBUG: INFO}, not a list"),
        ("{name: a, tags: lab}", "must be a list such as [a, b], not 'lab'"),
        ("{name: a, tags: ['@lab']}", "'@lab' can't be a name"),
        ("{name: 'a b@c'}", "'b@c' can't be a name"),
        ("{name: 'gpu[1-'}", "brackets do not match"),
        ("{user: kim}", "a node needs a `name` or an `address`"),
        ("{address: 10.0.0.1:22}", "write the port as `port`"),
        ("{address: kim@10.0.0.1}", "write the user as `user`"),
        ("{address: 'http://10.0.0.1/'}", "write only the host"),
        ("{address: 192.168.1}", "is not an IPv4 address"),
        ("{address: 0.0.0.0}", "is not the address of one machine"),
        ("{name: a, environment: existing}", "`environment: existing` without an `interpreter`"),
        (
            "{name: a, environment: uv, interpreter: /usr/bin/python3}",
            "only used with `environment: existing`",
        ),
        ("{name: master}", "the name 'master' is already used by master"),
        ("gpu1", "must be a block of keys, not 'gpu1'"),
        ("{name: a, [a]: b}", "a key must be a word, not a list"),
    ],
)
def test_a_node_that_is_wrong(tmp_path: Path, entry: str, expected: str) -> None:
    found = faults_of(f"nodes:\n  - {entry}\n", tmp_path)
    assert expected in str(found[0])
    assert len(found) == 1
    assert found[0].line == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("# nothing but this\n", "the file is empty"),
        ("- name: a\n", "1:1: must be a block of keys, not a list"),
        ("nodes: {name: a}\n", "start each node with `- name: ...`"),
        ("run: {module: a, script: b.py}\n", "`module` and `script` are both given"),
        ("run: {module: train.py}\n", "use `script: train.py`"),
        ("run: {script: ../train.py}\n", "is not below the project folder"),
        ("run: {args: --epochs 3}\n", "must be a list such as [a, b], not '--epochs 3'"),
        *(
            (f"run: {{log_limit: {written}}}\n", "must be a size such as 512MiB or 2GiB, not ")
            for written in ("5", "512MB", "512mib", "0MiB", "-1GiB", "1.5GiB", "GiB", "1GiB2", "[1GiB]", "on")
        ),
        ("run: {log_limit: 1023KiB}\n", "must be a size from 1MiB to 1TiB, not 1023KiB"),
        ("run: {log_limit: 999999999TiB}\n", "must be a size from 1MiB to 1TiB, not 999999999TiB"),
        ("nodes: [{name: a, log_limit: 1GiB}]\n", "it belongs in run"),
        ("project: nowhere\n", "there is no folder"),
        ("master: {address: localhost.example}\n", "write the IP address at which"),
        ("master: {name: 'm[1-2]'}\n", "the master must be one machine"),
        ("master: {address: 10.0.0.1}\nnodes: [{address: 10.0.0.1}]\n", "has the master's address"),
        ("groups: {all: {nodes: []}}\n", "'all' can't be a name"),
        ("nodes:\n  - name: a\n    address: x\n    - b\n", "YAML syntax"),
        ("nodes:\n  - user: 'kim\n", "close the quote"),
        ('nodes:\n  - project: "D:\\ml"\n', "single quotes"),
        ("nodes: [\n", "close the bracket"),
        ("nodes: *x\n", "starts with *"),
        ("a: 1\n---\nb: 2\n", "keep one document"),
        ("nodes:\x07\n", "the control character '\\x07'"),
        pytest.param("nodes: " + "[" * 5000 + "\n", "nested more than 40 levels deep", id="deep"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = faults_of(text, tmp_path)
    assert expected in str(found)


def test_every_line_with_a_tab_is_named(tmp_path: Path) -> None:
    assert lines("nodes:\n\t- name: a\n \t  address: 10.0.0.1\n", tmp_path) == [
        "2:1: a tab in the indentation; indent with spaces",
        "3:2: a tab in the indentation; indent with spaces",
    ]


def test_a_korean_code_page_is_named_and_the_rest_is_checked_too(tmp_path: Path) -> None:
    found = lines("# 노드\nnodes:\n  - name: 연구실\n    prot: 1\n".encode("cp949"), tmp_path)
    assert found == [
        "1:3: the file is saved in the Korean code page (cp949, ANSI), not in UTF-8; "
        "save it as UTF-8 (Notepad: Save as, Encoding UTF-8)",
        "4:5: nodes[0].prot: unknown key 'prot'; did you mean 'port'?",
    ]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_of_no_encoding_are_named(tmp_path: Path, mark: bytes) -> None:
    (found,) = lines(mark + b"nodes:\n  - name: \xff\xff\n", tmp_path)
    assert found.startswith("2:11: byte 0xff is not UTF-8")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InventoryError, match="can't be read"):
        load_inventory(tmp_path / "nodes.yaml")


def test_nobody_is_there_twice(tmp_path: Path) -> None:
    text = """\
nodes:
  - {name: a, address: 10.0.0.1}
  - {name: A, address: 10.0.0.2}
  - {name: b, address: 10.0.0.1}
  - {name: c, address: 10.0.0.1, port: 2222}
  - {name: d, transport: local}
  - {name: e, transport: local}
"""
    assert [fault.split(";")[0] for fault in lines(text, tmp_path)] == [
        "3:12: nodes[1].name: the name 'A' is already used by a (line 2)",
        "4:24: nodes[2].address: b has the same address and port as a (line 2)",
        "7:5: nodes[5]: e has the same folder as d (line 6)",
    ]


@pytest.mark.parametrize(
    "key", ["password", "passwd", "ssh_password", "secret", "token", "hf_token", "api_key", "passphrase"]
)
def test_a_secret_is_refused_and_never_shown(tmp_path: Path, key: str) -> None:
    (found,) = faults_of(f"defaults:\n  {key}: hunter2\n", tmp_path)
    assert "keyring" in str(found)
    assert "hunter2" not in str(found)
    (found,) = faults_of(f"run:\n  env:\n    {key.upper()}: hunter2\n", tmp_path)
    assert (found.line, found.column) == (3, 5)
    assert "hunter2" not in str(found)


def test_variables_that_only_sound_secret_are_fine(tmp_path: Path) -> None:
    text = "run: {env: {TOKENIZERS_PARALLELISM: no, SECRETARY: kim}}\n"
    assert dict(parse_inventory(text, tmp_path / "nodes.yaml").run.env) == {
        "TOKENIZERS_PARALLELISM": "no",
        "SECRETARY": "kim",
    }


@given(st.text("abnodesrumtr:-[]{}&*!|>'\"#,\n \t0189?%@\\~<", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_gives_an_inventory_or_faults_with_words(text: str) -> None:
    try:
        parse_inventory("nodes:\n" + text, Path("nodes.yaml"))
    except InventoryError as error:
        assert error.faults
        assert all(fault.what and fault.file for fault in error.faults)


@pytest.mark.parametrize("written", ["yes", "on", "'true'", "True", "1", "[true]", "prod"])
def test_production_takes_no_other_spelling(written: str, tmp_path: Path) -> None:
    (fault,) = lines(f"production: {written}\nnodes: []\n", tmp_path)
    assert fault.startswith("1:13: production: must be true or false")


def test_a_misspelt_production_is_no_silent_no(tmp_path: Path) -> None:
    assert lines("producton: true\nnodes: []\n", tmp_path) == [
        "1:1: producton: unknown key 'producton'; did you mean 'production'?"
    ]
