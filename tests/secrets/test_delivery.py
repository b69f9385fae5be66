"""Secrets go from the agent to the supervisor that holds the nonce: once, and to nobody else."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.secrets import Delivery, Reference, SecretsError, checked, fetch
from agent.secrets.exchange import Refused, receive_secrets, send_secrets
from agent.secrets.posix import SocketStream

VALUES = {"WANDB_API_KEY": "hunter2 비밀\n'\"", "HF_TOKEN": "a" * 65536}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def delivery(folder: Path) -> Iterator[Delivery]:
    offered = Delivery(str(folder), VALUES)
    yield offered
    offered.close()


def test_the_values_arrive_whole(delivery: Delivery) -> None:
    assert fetch(delivery.reference) == VALUES


def test_the_reference_holds_names_and_no_value(delivery: Delivery) -> None:
    text = repr(delivery.reference.as_json())
    assert "hunter2" not in text
    assert Reference.from_json(delivery.reference.as_json()) == delivery.reference
    assert delivery.reference.names == ["HF_TOKEN", "WANDB_API_KEY"]


def test_nothing_is_delivered_twice_and_the_socket_is_gone(delivery: Delivery, folder: Path) -> None:
    fetch(delivery.reference)
    delivery.close()
    with pytest.raises(SecretsError):
        fetch(delivery.reference)
    assert list(folder.iterdir()) == []


def test_only_the_owner_can_open_the_socket(delivery: Delivery) -> None:
    status = Path(delivery.reference.address).stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600


def test_a_peer_without_the_nonce_gets_nothing_and_stops_nobody(delivery: Delivery) -> None:
    wrong = delivery.reference._replace(nonce=os.urandom(32))
    with pytest.raises(SecretsError):
        fetch(wrong)
    assert fetch(delivery.reference) == VALUES


def test_a_peer_that_leaves_in_the_middle_stops_nobody(delivery: Delivery) -> None:
    for sent in (b"", b"x" * 10, b"x" * 64):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(delivery.reference.address)
            peer.sendall(sent)
    assert fetch(delivery.reference) == VALUES


def test_the_offer_ends_after_too_many_failures(delivery: Delivery) -> None:
    wrong = delivery.reference._replace(nonce=os.urandom(32))
    for _ in range(16):
        with pytest.raises(SecretsError):
            fetch(wrong)
    with pytest.raises(SecretsError):
        fetch(delivery.reference)


@pytest.mark.needs("posix", "root")
def test_another_user_is_refused_even_with_the_nonce(delivery: Delivery, folder: Path) -> None:
    for place in (folder, *folder.parents):
        if place.stat().st_uid == 0 and place != Path("/"):
            place.chmod(0o755)
    Path(delivery.reference.address).chmod(0o666)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            fetch(delivery.reference)
            os.write(write, b"got it")
        except SecretsError:
            os.write(write, b"refused")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"refused"
    assert fetch(delivery.reference) == VALUES


def test_a_folder_with_a_long_path_gets_a_private_one_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))  # as long as the first
    offered = Delivery(str(deep), VALUES)
    place = Path(offered.reference.address).parent
    assert place != deep
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert fetch(offered.reference) == VALUES
    offered.close()
    assert not place.exists()


def soon() -> float:
    return time.monotonic() + 120.0


def pair() -> tuple[SocketStream, SocketStream]:
    one, other = socket.socketpair()
    return SocketStream(one), SocketStream(other)


def test_an_impostor_in_the_agents_place_is_refused() -> None:
    here, there = pair()
    thread = threading.Thread(target=lambda: there.write(b"c" * 32 + b"p" * 32 + b"\0\0\0\2{}", soon()))
    thread.start()
    with pytest.raises(Refused):
        receive_secrets(here, b"n" * 32, 5.0)
    thread.join()


def test_a_proof_cannot_be_sent_back() -> None:
    here, there = pair()

    def echo() -> None:
        challenge = there.read(32, soon())
        there.write(challenge + b"p" * 32, soon())

    thread = threading.Thread(target=echo)
    thread.start()
    with pytest.raises(Refused):
        send_secrets(here, b"n" * 32, VALUES, 5.0)
    thread.join()


def test_a_peer_that_says_nothing_is_not_waited_for_without_end() -> None:
    here, _there = pair()
    with pytest.raises(OSError, match=r"time"):
        receive_secrets(here, b"n" * 32, 0.05)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"A": 5},
        {"A": "x\0hunter2"},
        {"A": "hunter2\ud800"},
        {"A B": "hunter2"},
        {"": "hunter2"},
        {"A": "hunter2" * 10_000},
        {f"A{number}": "hunter2" * 9000 for number in range(5)},
    ],
)
def test_what_cannot_be_delivered_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(SecretsError) as caught:
        checked(value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"names": [], "nonce": "00", "address": "x"}, {"names": 5, "nonce": "zz", "address": ""}],
)
def test_a_damaged_reference_is_an_error(value: object) -> None:
    with pytest.raises(SecretsError):
        Reference.from_json(value)
