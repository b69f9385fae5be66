"""The reliable layer by itself, over a medium that loses, doubles and cuts."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transports.winrm.reliable
from transports.winrm.reliable.frames import SNAPSHOT, STDERR, STDIN, STDOUT, Frames
from transports.winrm.reliable.peer import IDLE, Peer
from transports.winrm.reliable.source import ARGUMENTS, start_line
from transports.winrm.reliable.streams import WINDOW

KEY = b"\x07k\xffy-123"


class TestFrames:
    @given(st.lists(st.binary(max_size=300)), st.integers(1, 97))
    def test_a_stream_cut_anywhere_gives_the_same_frames(self, payloads: list[bytes], step: int) -> None:
        frames = Frames(KEY)
        wire = b"".join(frames.pack(STDOUT, index, payload) for index, payload in enumerate(payloads))
        seen = [
            found
            for start in range(0, len(wire), step)
            for found in frames.unpack(wire[start : start + step])
        ]
        assert seen == [(STDOUT, index, payload) for index, payload in enumerate(payloads)]

    @given(st.integers(0, 4000), st.integers(1, 4000))
    def test_after_a_loss_the_next_whole_frame_is_found(self, start: int, length: int) -> None:
        frames = Frames(KEY)
        # No byte of a payload begins a key: a cut payload could otherwise borrow the next key's first byte.
        payloads = [bytes([0x80 + index]) * 500 for index in range(10)]
        sent = [frames.pack(STDOUT, index, payload) for index, payload in enumerate(payloads)]
        wire = b"".join(sent)
        wire = wire[:start] + wire[start + length :]
        wire += frames.pack(SNAPSHOT, 99, b"last")
        seen = list(frames.unpack(wire))
        assert seen[-1] == (SNAPSHOT, 99, b"last")
        touched = range(start // len(sent[0]), (start + length) // len(sent[0]) + 1)
        whole = [index for index in range(10) if index not in touched]
        assert [offset for _, offset, _ in seen[:-1] if offset in whole] == whole
        assert all(payload == payloads[offset] for _, offset, payload in seen[:-1])

    def test_what_an_interpreter_prints_around_is_left_out(self) -> None:
        frames = Frames(KEY)
        assert list(
            frames.unpack(b"Active code page: 949\r\n" + frames.pack(STDERR, 0, b"x") + b"\r\nbye")
        ) == [(STDERR, 0, b"x")]


class World:
    """Two peers, a clock, and a medium between them that does its worst."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.trouble = trouble
        self.console = Peer(KEY, (STDIN,), (STDOUT, STDERR), lambda: self.now)
        self.node = Peer(KEY, (STDOUT, STDERR), (STDIN,), lambda: self.now)

    def step(self, *, smooth: bool = False) -> None:
        self.now += 0.1
        for sender, receiver in ((self.console, self.node), (self.node, self.console)):
            with sender.changed:
                batch = sender.gather(90_000) if sender.pending() == 0 else b""
            dice = 1.0 if smooth else self.random.random() / self.trouble
            with receiver.changed:
                if dice < 0.3:
                    continue  # lost
                if dice < 0.5:
                    cut = self.random.randrange(len(batch) + 1)
                    batch = batch[:cut] + batch[cut + self.random.randrange(5000) :]
                if dice < 0.7:
                    receiver.receive(batch)  # twice
                if 0.7 < dice < 0.8:
                    receiver.request_resend()
                receiver.receive(batch)


class TestPeer:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000), st.sampled_from([0.3, 1.0]))
    def test_every_byte_arrives_once_whatever_the_medium_does(self, seed: int, trouble: float) -> None:
        world = World(seed, trouble)
        source = world.random.randbytes(400_000)
        routes = [(world.console, world.node, STDIN), (world.node, world.console, STDOUT)]
        got = {STDIN: b"", STDOUT: b""}
        written = dict.fromkeys(got, 0)
        for _ in range(3000):
            world.step()
            for sender, receiver, stream in routes:
                out = sender.out[stream]
                if written[stream] < len(source):
                    out.write(source[written[stream] : written[stream] + 20_000])
                    written[stream] += 20_000
                elif not out.ended:
                    out.ended = True
                    with sender.changed:
                        sender.send_soon()
                with receiver.changed:
                    got[stream] += receiver.read(stream, world.random.randrange(50_000))
            if all(receiver.into[stream].at_end for _, receiver, stream in routes):
                break
        assert got[STDIN] == got[STDOUT] == source

    def test_a_slow_reader_bounds_what_is_kept_on_both_sides(self) -> None:
        world = World(1, 1.0)
        out, into = world.node.out[STDOUT], world.console.into[STDOUT]
        for _ in range(400):
            out.write(b"x" * min(out.free, 100_000))
            world.step(smooth=True)
        assert len(into.waiting) == WINDOW
        assert out.free == 0
        with world.console.changed:
            while world.console.read(STDOUT, 1 << 20):
                pass
        for _ in range(5):
            world.step(smooth=True)
        assert into.waiting

    def test_a_loss_at_the_very_end_is_noticed(self) -> None:
        world = World(1, 1.0)
        world.step(smooth=True)
        world.node.out[STDOUT].write(b"the last word")
        with world.node.changed:
            world.node.gather(90_000)  # lost with its Receive
        for _ in range(30):
            world.step(smooth=True)
        assert bytes(world.console.into[STDOUT].waiting) == b"the last word"

    def test_lost_reports_and_news_are_repeated(self) -> None:
        world = World(1, 1.0)
        world.console.out[STDIN].write(b"a word")
        world.step(smooth=True)
        world.now += 1
        with world.node.changed:
            world.node.report(exit=3)
            world.node.out[STDOUT].ended = True
            world.node.gather(90_000)  # lost with its Receive
        for _ in range(30):
            world.step(smooth=True)
        assert world.console.out[STDIN].confirmed == len(b"a word")
        assert world.console.remote_state == {"exit": 3}
        assert world.console.into[STDOUT].at_end

    def test_an_idle_channel_is_nearly_silent(self) -> None:
        world = World(1, 1.0)
        for _ in range(20):
            world.step(smooth=True)
        with world.console.changed:
            assert world.console.pending() == pytest.approx(IDLE, abs=3)


class TestOnTheNode:
    def test_its_modules_need_only_the_standard_library_and_each_other(self) -> None:
        folder = Path(transports.winrm.reliable.__file__).parent
        for name in ("frames", "streams", "snapshot", "peer", "relay"):
            tree = ast.parse((folder / f"{name}.py").read_text(), feature_version=(3, 7))
            imported = {
                module
                for node in ast.walk(tree)
                for module in (
                    [node.module] if isinstance(node, ast.ImportFrom) else
                    [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                )
            }  # fmt: skip
            foreign = {m for m in imported if m.split(".")[0] not in sys.stdlib_module_names}
            assert all(module.startswith("transports.winrm.reliable.") for module in foreign), foreign

    def test_it_starts_the_process_and_carries_its_streams(self) -> None:
        peer = Peer(KEY, (STDIN,), (STDOUT, STDERR), lambda: 0.0)
        code = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('oops'); sys.exit(5)"
        relay = subprocess.Popen([sys.executable, *ARGUMENTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert relay.stdin
        assert relay.stdout
        peer.out[STDIN].write(b"hello")
        peer.out[STDIN].ended = True
        relay.stdin.write(start_line(KEY, [sys.executable, "-c", code]) + peer.gather(9000))
        relay.stdin.flush()
        while not (peer.into[STDERR].have == peer.into[STDERR].length and "exit" in peer.remote_state):
            with peer.changed:
                peer.receive(relay.stdout.read1(9000))
        with peer.changed:
            assert (peer.read(STDOUT, 99), peer.read(STDERR, 99)) == (b"HELLO", b"oops")
            assert peer.remote_state["exit"] == 5
            peer.report(bye=True)
            relay.stdin.write(peer.gather(9000))
        relay.stdin.flush()
        assert relay.wait(10) == 0
        relay.stdin.close()
        relay.stdout.close()
