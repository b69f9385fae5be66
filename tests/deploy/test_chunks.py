from __future__ import annotations

import asyncio
import os
import threading
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tree.format import BLOCK, ListError, Unpacker, block_digest, file_digest, pack, read_digests
from fleet.deploy import chunks
from fleet.deploy.chunks import ChunkSource, SourceChanged, layout, make_piece
from fleet.deploy.digests import Digests
from fleet.deploy.pace import Pace
from fleet.deploy.scan import SourceFile, scan

SIZES = st.lists(st.integers(0, 3 * BLOCK), max_size=20)


@given(SIZES)
def test_chunks_cover_each_byte_once_and_in_order(sizes: list[int]) -> None:
    files = [SourceFile(str(number), size, 0, None) for number, size in enumerate(sizes)]
    seen: dict[SourceFile, int] = {}
    ended = []
    for chunk in layout((file, 0) for file in files):
        assert 0 < len(chunk) <= 512
        assert sum(segment.length for segment in chunk) <= BLOCK
        for segment in chunk:
            assert segment.offset == seen.get(segment.file, 0)
            seen[segment.file] = segment.offset + segment.length
            if segment.last:
                ended.append(segment.file)
    assert sorted(ended) == sorted(files)
    assert all(seen[file] == file.size for file in files)


def test_two_thousand_small_files_travel_in_few_pieces() -> None:
    files = [(SourceFile(f"f{number}", 900, 0, 0), 0) for number in range(2000)]
    assert len(list(layout(files))) < 10


def test_a_piece_is_compressed_only_when_that_pays(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(200_000))
    (tmp_path / "text").write_bytes(b"the same line again\n" * 10_000)
    found = scan(tmp_path)
    noise, text = (make_piece(tmp_path, chunk) for chunk in layout((file, 0) for file in found.files))
    assert (noise.compressed, text.compressed) == (False, True)
    assert noise.payload == (tmp_path / "noise").read_bytes()
    assert zlib.decompress(text.payload) == (tmp_path / "text").read_bytes()
    assert len(text.payload) < 10_000


async def test_several_nodes_read_and_compress_a_chunk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        (tmp_path / f"f{number}").write_bytes(os.urandom(BLOCK))
    found = scan(tmp_path)
    made: list[object] = []
    lock = threading.Lock()

    def counted(root: Path, chunk: chunks.Chunk) -> chunks.Piece:
        with lock:
            made.append(chunk)
        return make_piece(root, chunk)

    monkeypatch.setattr(chunks, "make_piece", counted)
    source = ChunkSource(found, capacity=4 * BLOCK)
    wanted = list(layout((file, 0) for file in found.files))

    async def node() -> list[bytes]:
        return [(await source.get(chunk)).payload for chunk in wanted]

    first, *others = await asyncio.gather(*(node() for _ in range(5)))
    assert len(made) == len(wanted)
    assert all(other == first for other in others)
    await node()  # one that comes later finds only what there was room for
    assert len(wanted) < len(made) <= 2 * len(wanted)


@pytest.mark.parametrize("change", ["longer", "shorter", "touched", "gone"])
def test_a_file_that_changed_since_the_scan_is_not_sent(tmp_path: Path, change: str) -> None:
    place = tmp_path / "a"
    place.write_text("12345")
    found = scan(tmp_path)
    (chunk,) = layout((file, 0) for file in found.files)
    if change == "gone":
        place.unlink()
    elif change == "touched":
        os.utime(place, ns=(1, 1))
    else:
        place.write_text("1234567" if change == "longer" else "1")
    with pytest.raises(SourceChanged) as caught:
        make_piece(tmp_path, chunk)
    assert caught.value.path == "a"


@given(st.binary(max_size=2000))
def test_a_files_digest_comes_from_its_blocks(data: bytes) -> None:
    blocks = [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)] or [b""]
    position = iter([data])
    assert file_digest(read_digests(lambda _: next(position), len(data))) == file_digest(
        map(block_digest, blocks)
    )


def test_a_list_that_arrives_damaged_or_cut_is_refused() -> None:
    pieces = list(pack([["a", 1]] * 50))
    whole = Unpacker()
    for piece in pieces:
        whole.feed(piece)
    assert whole.value(list[tuple[str, int]]) == [("a", 1)] * 50
    with pytest.raises(ListError, match=r"\[0\]\[1\]: expected a string, got 1"):
        whole.value(list[tuple[str, str]])
    cut = Unpacker()
    cut.feed(pieces[0][:-4])
    with pytest.raises(ListError, match="incomplete"):
        cut.value(object)
    with pytest.raises(ListError, match="damaged"):
        Unpacker().feed(b"not compressed")


async def test_a_digest_is_kept_by_size_and_time(tmp_path: Path) -> None:
    root, store = tmp_path / "root", tmp_path / "store.json"
    root.mkdir()
    (root / "old").write_text("contents")
    (root / "fresh").write_text("contents")
    os.utime(root / "old", ns=(10**18, 10**18))
    found = scan(root)
    now = (root / "fresh").stat().st_mtime
    first = Digests(root, store, lambda: now)
    digests = [await first.of(file) for file in found.files]
    first.save(found)
    for name in ("old", "fresh"):
        (root / name).write_text("changed!")  # behind our back: the scan's times still hold
    second = Digests(root, store, lambda: now)
    fresh, old = [await second.of(file) for file in found.files]
    assert old == digests[1]
    assert fresh == block_digest(b"changed!")  # too young to be trusted


def test_the_rate_is_smoothed_and_told_ten_times_a_second() -> None:
    now = 0.0
    pace = Pace(10_000, lambda: now)
    told = 0
    for step in range(1, 101):
        now = step * 0.01
        told += pace.advance(step * 50)
    assert 9 <= told <= 12
    assert pace.rate == pytest.approx(5000, rel=0.05)
    assert pace.eta == pytest.approx(1.0, rel=0.1)
    now = 1.2
    pace.advance(5000)
    assert 4000 < pace.rate < 5000  # a short stall moves it a little
    pace.finish(10_000)
    assert pace.rate == pytest.approx(10_000 / 1.2)
    assert pace.eta == 0
