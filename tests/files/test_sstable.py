"""LevelDB tables: byte for byte as the reference writes them, and nothing wrong is believed."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scannlite.errors import IndexFileError, InvalidInput
from scannlite.files import sstable, sstable_store
from scannlite.files.span import Span
from scannlite.files.sstable import Table
from scannlite.files.sstable_block import Block, encoded

google_crc32c = pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
cramjam = pytest.importorskip("cramjam", reason="needs the extra 'device'")

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"
BOTH = pytest.mark.parametrize("compression", [False, True])

# Keys from few letters, so that prefixes are shared and neighbours differ by one; values that fill
# no block, several blocks, and more than one block.
KEYS = st.one_of(
    st.binary(max_size=6),
    st.text("ab", max_size=5).map(str.encode),
    st.integers(0, 999).map(lambda number: f"M_{number}".encode()),
    st.binary(max_size=2).map(lambda end: b"shared" * 50 + end),
    st.binary(max_size=2).map(lambda end: b"\xff" * 3 + end),
)
VALUES = st.one_of(
    st.binary(max_size=9),
    st.integers(0, 5000).map(bytes),
    st.integers(1000, 9000).map(lambda size: bytes(i * i % 251 for i in range(size))),
)
TABLES = st.dictionaries(KEYS, VALUES, max_size=80).map(lambda items: dict(sorted(items.items())))


def written(items: dict[bytes, bytes | memoryview], *, compression: bool = False) -> bytes:
    file = io.BytesIO()
    sstable.write(file, items.items(), compression=compression)
    return file.getvalue()


def opened(raw: bytes) -> Table:
    return Table.open(Span("x.ldb", memoryview(raw)))


def content(raw: bytes) -> dict[bytes, bytes]:
    return {key: bytes(value.data) for key, value in opened(raw)}


# ---- by hand -----------------------------------------------------------------------------------


DUMMY = """
00 03 08  45 5f 30  00 01 02 03 04 05 06 07        # E_0
02 01 04        31  08 09 0a 0b                    # E_1, which shares E_
00 0c 11  49 4e 44 45 58 5f 43 4f 4e 46 49 47      # INDEX_CONFIG
          0a 07 1a 05 15 00 00 00 3f 10 02 18 04 22 02 00 02
00 03 0a  4d 5f 30  6d 65 74 61 64 61 74 61 5f 30  # M_0
02 01 0a        31  6d 65 74 61 64 61 74 61 5f 31  # M_1
02 01 0a        32  6d 65 74 61 64 61 74 61 5f 32  # M_2
00 09 09  55 53 45 52 5f 49 4e 46 4f  75 73 65 72 20 69 6e 66 6f  # USER_INFO
00 00 00 00  01 00 00 00                           # one restart, at 0
00  3a f4 1d f1                                    # plain, checksum
00 00 00 00  01 00 00 00                           # metaindex: no entries
00  c0 f2 a1 b0
00 01 02  56  00 7f                                # index: V, at 0, 127 bytes
00 00 00 00  01 00 00 00
00  ec 19 c1 a8
84 01 08  91 01 0e                                 # metaindex at 132, 8; index at 145, 14
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
57 fb 80 8b 24 75 47 db
"""
DUMMY_BYTES = bytes.fromhex(re.sub("#.*", "", DUMMY))
DUMMY_ITEMS = {
    b"E_0": bytes(range(8)),
    b"E_1": bytes(range(8, 12)),
    b"INDEX_CONFIG": bytes.fromhex("0a071a05150000003f1002180422020002"),
    b"M_0": b"metadata_0",
    b"M_1": b"metadata_1",
    b"M_2": b"metadata_2",
    b"USER_INFO": b"user info",
}


def test_a_file_of_the_reference_worked_by_hand() -> None:
    """The dummy_index.ldb of the Task Library: 212 bytes, read and written."""
    assert len(DUMMY_BYTES) == 212
    assert content(DUMMY_BYTES) == DUMMY_ITEMS
    assert written(DUMMY_ITEMS) == DUMMY_BYTES


def test_an_empty_table_has_two_empty_blocks_and_a_footer() -> None:
    empty = bytes.fromhex("0000000001000000 00 c0f2a1b0")
    footer = bytes([0, 8, 13, 8]).ljust(40, b"\0") + DUMMY_BYTES[-8:]
    assert written({}) == written({}, compression=True) == empty + empty + footer
    assert content(empty + empty + footer) == {}
    assert opened(written({})).get(b"") is None


@pytest.mark.parametrize(
    ("last", "following", "between"),
    [
        (b"E_0", b"INDEX_CONFIG", b"F"),
        (b"M_19", b"M_2", b"M_19"),
        (b"M_19", b"M_3", b"M_2"),
        (b"E", b"E_0", b"E"),
        (b"a\xff", b"b", b"a\xff"),
        (b"a\xfe\x01", b"a\xff", b"a\xfe\x01"),
        (b"ab\x05zz", b"ab\x07", b"ab\x06"),
        (b"", b"a", b""),
        (b"USER_INFO", None, b"V"),
        (b"\xff\xffa1", None, b"\xff\xffb"),
        (b"\xff\xff", None, b"\xff\xff"),
        (b"", None, b""),
    ],
)
def test_index_keys_are_short(last: bytes, following: bytes | None, between: bytes) -> None:
    """A key from the last of a block to below the first of the next, or from the very last."""
    items = {last: bytes(4096)} | ({} if following is None else {following: b""})
    assert opened(written(items))._keys[0] == between
    assert content(written(items)) == items


def test_a_block_ends_with_the_entry_that_fills_it() -> None:
    """Entries, restarts and their number make 4096: 4 + 1 + value + 4 + 4."""
    for size, blocks in ((4082, 1), (4083, 2), (100_000, 2)):
        table = opened(written({b"a": bytes(size), b"b": b""}))
        assert len(table._handles) == blocks


def test_every_sixteenth_entry_shares_nothing() -> None:
    items = {f"key{number:02}".encode(): b"" for number in range(33)}
    raw = written(items)
    (block,) = opened(raw)._handles
    # 5 own bytes after a restart; 1 or 2 where a digit changes, and 3 numbers each time
    sizes = [8 if number % 16 == 0 else 5 if number in (10, 20, 30) else 4 for number in range(33)]
    starts = [sum(sizes[:number]) for number in (0, 16, 32)]
    assert raw[block.size - 16 : block.size] == struct.pack("<4I", *starts, 3)
    assert block.size == sum(sizes) + 16


# ---- what goes in comes out --------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(TABLES, st.booleans(), st.lists(KEYS, max_size=9))
@example({}, True, [b""])
@example({b"": b""}, False, [b"", b"\0"])
@example({b"E_0": bytes(range(256)) * 4000, b"E_1": b"", b"M_0": b"m"}, True, [b"E", b"M_0"])
@example({f"M_{n:04}".encode(): b"%d" % n for n in range(2000)}, False, [b"M_1", b"M_0999"])
def test_a_table_is_a_sorted_dictionary(
    items: dict[bytes, bytes], compression: bool, keys: list[bytes]
) -> None:
    raw = written(items, compression=compression)
    table = opened(raw)
    assert [(key, bytes(value.data)) for key, value in table] == list(items.items())
    for key in (*items, *keys):
        value = table.get(key)
        assert (None if value is None else bytes(value.data)) == items.get(key)
    for key in (*keys, *list(items)[:9]):
        start = [found for found, _ in table.starting(key[:2])]
        assert start == [found for found in items if found.startswith(key[:2])]
    assert written({key: value.data for key, value in table}, compression=compression) == raw


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.rglob("*.ldb")) or [GOLDEN / "none.ldb"], ids=lambda path: path.stem
)
def test_files_of_the_reference_are_written_byte_for_byte(path: Path) -> None:
    """Where all blocks are plain; packed ones are read, and hold the same when written anew."""
    if not path.exists():
        pytest.skip(f"no golden files of the reference in {GOLDEN}")
    raw = path.read_bytes()
    table = opened(raw)
    items = {key: value.data for key, value in table}
    assert b"INDEX_CONFIG" in items
    plain = not any(raw[handle.end - 5] for handle in table._handles)
    if plain:
        assert written(items) == raw
    else:
        again = opened(written(items, compression=True))
        assert again._keys == table._keys
        assert {key: value.data for key, value in again} == items


def test_plain_values_are_views_and_packed_ones_know_their_block() -> None:
    items = {b"a": b"x", b"big": bytes(50_000), b"c": b"y" * 99}
    raw = written(items)
    for key, value in opened(raw):
        assert value.data.obj is raw
        assert raw[value.start : value.start + len(value)] == items[key]
    raw = written(items, compression=True)
    assert len(raw) < 5000
    table = opened(raw)
    for key, value in table:
        assert bytes(value.data) == items[key]
        assert value.data.readonly
        assert value.start == value.part(1, 0).start == table._handles[key == b"c"].offset
        assert f"into the snappy block at byte {value.start}:" in str(value.wrong(0, "", "", ""))


def test_offsets_in_messages_count_from_the_file() -> None:
    table = Table.open(Span("x.tflite", memoryview(DUMMY_BYTES), 1000))
    assert table.get(b"E_0").start == 1006
    with pytest.raises(IndexFileError, match=r"^x\.tflite: footer at byte 1164: expected"):
        Table.open(Span("x.tflite", memoryview(DUMMY_BYTES[:-1] + b"?"), 1000))


def test_only_the_blocks_that_are_asked_for_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    items = {f"E_{number}".encode(): bytes(5000) for number in range(9)}
    items |= {f"M_{number:04}".encode(): b"some text" for number in range(2000)}
    count = 0
    real = sstable.unpacked

    def spy(*given: object) -> Span:
        nonlocal count
        count += 1
        return real(*given)

    monkeypatch.setattr(sstable, "unpacked", spy)

    def decoded() -> int:
        nonlocal count
        before, count = count, 0
        return before

    table = opened(written(items))
    assert len(table._handles) > 15
    assert decoded() == 2  # index and metaindex
    assert len(list(table.starting(b"E_"))) == 9
    assert decoded() == 9
    for key, blocks in ((b"E_3", 2), (b"E_8", 1)):  # the block after E_3 might hold E_30
        assert [found for found, _ in table.starting(key)] == [key]
        assert decoded() == blocks
    assert list(table.starting(b"O")) == []
    assert table.get(b"O") is None
    assert decoded() == 0
    for number in range(2000):  # in order: each block once
        assert table.get(b"M_%04d" % number).data == b"some text"
    assert decoded() == len(table._handles) - 9


def test_threads_share_a_table() -> None:
    items = {f"M_{number:04}".encode(): b"%d" % number for number in range(3000)}
    table = opened(written(items, compression=True))

    def read(seed: int) -> bool:
        keys = np.random.default_rng(seed).permutation(list(items))[:400].tolist()
        return all(table.get(key).data == items[key] for key in keys)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


def test_arrays_of_any_shape_are_values() -> None:
    arrays = {b"a": np.arange(3, dtype=np.float32), b"b": np.zeros((0, 3)), b"c": np.eye(40)}
    items = {key: array.data for key, array in arrays.items()}
    assert content(written(items)) == {key: array.tobytes() for key, array in arrays.items()}


def test_large_values_are_not_copied(tmp_path: Path) -> None:
    """Neither written nor read: checksums take a megabyte at a time."""
    big = np.zeros((2000, 2000))
    with (tmp_path / "x.ldb").open("wb") as file:
        tracemalloc.start()
        sstable.write(file, [(b"a", big.data), (b"b", big.data)])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4_000_000 < big.nbytes
    raw = (tmp_path / "x.ldb").read_bytes()
    tracemalloc.start()
    values = [value for _, value in opened(raw)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000
    assert [len(value) for value in values] == [big.nbytes] * 2


@pytest.mark.parametrize("keys", [[b"b", b"a"], [b"a", b"a"], [b"a", b""], [b"a0", b"a"]])
def test_keys_that_do_not_ascend_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(InvalidInput, match=r"strictly ascending, got b'.*' after b'"):
        sstable.write(io.BytesIO(), [(key, b"") for key in keys])


# ---- damage ------------------------------------------------------------------------------------


SMALL = {**DUMMY_ITEMS, b"M_2": b"metadata" * 12}


@BOTH
def test_every_truncation_and_extension_is_refused(compression: bool) -> None:
    raw = written(SMALL, compression=compression)
    for size in range(len(raw)):
        for part in (raw[:size], raw[size + 1 :]):
            with pytest.raises(IndexFileError, match=r"^x\.ldb: .* at byte \d+: expected"):
                opened(part)
    for longer in (raw + b"\0", b"\0" + raw, raw + raw):
        with pytest.raises(IndexFileError):
            opened(longer)


@BOTH
def test_every_flipped_bit_is_refused(compression: bool) -> None:
    raw = bytearray(written(SMALL, compression=compression))
    assert (raw[opened(bytes(raw))._handles[0].end - 5] == 1) == compression
    for bit in range(8 * len(raw)):
        raw[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IndexFileError, match=r"^x\.ldb: .* at byte \d+: expected"):
            opened(bytes(raw))
        raw[bit // 8] ^= 1 << bit % 8


# ---- hostile files: all checksums are right ----------------------------------------------------


EMPTY = struct.pack("<2I", 0, 1)


def entry(key: bytes, value: bytes = b"", shared: int = 0) -> bytes:
    return encoded(shared, len(key), len(value)) + key + value


def block(*entries: bytes, restarts: tuple[int, ...] = (0,)) -> bytes:
    return b"".join(entries) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def sealed(body: bytes, kind: int = 0) -> bytes:
    crc = google_crc32c.value(body + bytes([kind]))
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return body + bytes([kind]) + struct.pack("<I", masked)


def table(
    *blocks: tuple[bytes, bytes],
    kind: int = 0,
    metaindex: bytes = EMPTY,
    index: bytes | None = None,
    between: bytes = b"",
) -> bytes:
    """A file of blocks and their index keys, right in all but what the test makes wrong."""
    raw, handles = b"", []
    for key, body in blocks:
        handles.append(entry(key, encoded(len(raw), len(body))))
        raw += sealed(body, kind)
    raw += between
    if index is None:
        starts = [sum(map(len, handles[:number])) for number in range(max(len(handles), 1))]
        index = block(*handles, restarts=tuple(starts))
    places = encoded(len(raw), len(metaindex), len(raw) + len(metaindex) + 5, len(index))
    raw += sealed(metaindex) + sealed(index)
    return raw + places.ljust(40, b"\0") + DUMMY_BYTES[-8:]


GOOD = block(entry(b"a", b"1"), entry(b"b", b"2"))  # 10 bytes of entries, 18 in all


def test_tables_made_here_are_accepted() -> None:
    assert content(table((b"b", GOOD))) == {b"a": b"1", b"b": b"2"}
    assert content(table((b"b", GOOD), (b"d", block(entry(b"c"))))).keys() == {b"a", b"b", b"c"}
    packed = bytes(cramjam.snappy.compress_raw(GOOD))
    assert content(table((b"b", packed), kind=1)) == {b"a": b"1", b"b": b"2"}


def test_a_filter_block_is_ignored_but_must_be_whole() -> None:
    handle = entry(b"filter.x", encoded(len(sealed(GOOD)), 7))
    raw = table((b"b", GOOD), metaindex=block(handle), between=sealed(b"filters"))
    assert content(raw) == {b"a": b"1", b"b": b"2"}
    for wrong in (raw.replace(b"filters", b"filterz"), table((b"b", GOOD), metaindex=GOOD)):
        with pytest.raises(IndexFileError):
            opened(wrong)


LONG = bytes(16)
WRONG_BLOCKS = {
    "nothing": b"",
    "three bytes": b"\0\0\0",
    "no restart": struct.pack("<I", 0),
    "no restart but entries": block(entry(b"a"), restarts=()),
    "no entries": EMPTY,
    "more restarts than fit": entry(b"a") + struct.pack("<2I", 0, 3),
    "4 thousand million restarts": entry(b"a") + struct.pack("<2I", 0, 2**32 - 1),
    "the first restart is not 0": block(entry(b"a"), entry(b"b"), restarts=(4,)),
    "a restart twice": block(entry(b"a"), entry(b"b"), restarts=(0, 0)),
    "a restart within an entry": block(entry(b"a"), entry(b"b"), restarts=(0, 5)),
    "a restart past the entries": block(entry(b"a"), restarts=(0, 4)),
    "a restart far away": block(entry(b"a"), restarts=(0, 2**32 - 1)),
    "restarts out of order": block(*map(entry, (b"a", b"aa", b"b")), restarts=(0, 9, 4)),
    "a restart that shares": block(entry(b"a"), entry(b"b", shared=1), restarts=(0, 4)),
    "the first shares": block(entry(b"a", shared=1)),
    "more shared than there is": block(entry(b"a"), entry(b"b", shared=2)),
    "a key past the end": block(b"\0\x7fa"),
    "a key of 4 GiB": block(encoded(0, 2**32 - 1, 0) + b"a"),
    "a value past the end": block(b"\0\1\1a"),
    "a value of 4 GiB": block(encoded(0, 1, 2**32 - 1) + b"a"),
    "a number of 33 bits": block(encoded(2**32, 1, 0) + b"a"),
    "a number of 64 bits": block(encoded(2**64 - 1, 1, 0) + b"a"),
    "a number without end": block(b"\xff" * 40),
    "a number cut off": block(entry(b"a"), b"\0\x80"),
    "a number with a spare byte": block(b"\x80\0\1\0a"),
    "two numbers": block(entry(b"a"), b"\0\1"),
    "keys that descend": block(entry(b"b"), entry(b"a")),
    "a key twice": block(entry(b"a"), entry(b"a")),
    "a key twice, shared": block(entry(b"a"), entry(b"", shared=1)),
    "a key before its prefix": block(entry(b"ab"), entry(b"", shared=1)),
    "a key above the index": block(entry(b"a"), entry(b"b0")),
    "sharing without a restart": block(entry(b"a"), *(entry(b"a", shared=n) for n in range(1, 17))),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("wrong", WRONG_BLOCKS)
def test_wrong_blocks_are_refused(wrong: str, packed: bool) -> None:
    body = WRONG_BLOCKS[wrong]
    raw = table((b"b", bytes(cramjam.snappy.compress_raw(body)) if packed else body), kind=packed)
    found = opened(raw)
    for read in (lambda: list(found), lambda: found.get(b"a"), lambda: list(found.starting(b"a"))):
        with pytest.raises(IndexFileError, match=r"^x\.ldb: .* at byte \d+: expected"):
            read()


def test_restarts_that_do_not_fit_are_refused_before_any_entry() -> None:
    for body in (struct.pack("<I", 0), struct.pack("<2I", 0, 2), entry(b"a") + b"\xff" * 8):
        with pytest.raises(IndexFileError, match=r"number of restarts at byte .*, found .* in"):
            Block(Span("x.ldb", memoryview(body)), 16)
    with pytest.raises(IndexFileError, match="number of restarts"):
        opened(table((b"b", GOOD), metaindex=struct.pack("<I", 0)))


def test_keys_stay_between_the_keys_of_the_index() -> None:
    """A block whose first key is not above the index key before it, or its last above its own."""
    for first in (b"a", b"b"):
        found = opened(table((b"b", GOOD), (b"d", block(entry(first), entry(b"c")))))
        for read in (lambda found=found: list(found), lambda found=found: found.get(b"c")):
            with pytest.raises(IndexFileError, match="key at byte 23: expected one above b'b'"):
                read()
    with pytest.raises(IndexFileError, match="last key at byte 0: expected one up to b'a'"):
        opened(table((b"a", GOOD))).get(b"a")


def test_unknown_block_types_are_refused() -> None:
    for kind in (2, 4, 255):
        with pytest.raises(IndexFileError, match=f"block type at byte 18: .*, found {kind}"):
            list(opened(table((b"b", GOOD), kind=kind)))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "a varint of at most 32 bits"),
        (b"\xff" * 9, "a varint of at most 32 bits"),
        (encoded(2**32) + b"\0a", "a varint of at most 32 bits"),
        (encoded(2**32 - 1) + b"\0a", "expected at most 22 bytes for each of 7, found 4294967295"),
        (encoded(67) + b"\0a", "expected at most 22 bytes for each of 3, found 67"),
        (encoded(2) + b"\0a", "can be unpacked"),
        (encoded(2) + b"\x10ab", "can be unpacked"),
        (encoded(9) + b"\0a\x11\0", "can be unpacked"),
        (encoded(0), "number of restarts"),
    ],
)
def test_wrong_snappy_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(IndexFileError, match=message):
        list(opened(table((b"b", body), kind=1)))


def test_snappy_that_gives_another_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cramjam itself refuses: no reason to believe another version of it."""
    found = opened(table((b"b", bytes(cramjam.snappy.compress_raw(GOOD))), kind=1))
    snappy = SimpleNamespace(decompress_raw=lambda _: GOOD + b"\0")
    other = SimpleNamespace(snappy=snappy, DecompressionError=cramjam.DecompressionError)
    monkeypatch.setattr(sstable_store, "_cramjam", lambda: other)
    with pytest.raises(IndexFileError, match="snappy block at byte 0: expected 18 bytes, found 19"):
        list(found)


def test_snappy_packs_no_better_than_what_is_believed() -> None:
    items = {b"a": bytes(3_000_000)}
    raw = written(items, compression=True)
    assert 3_000_000 / len(raw) > 21
    assert content(raw) == items


HANDLE = encoded(0, len(GOOD))
WRONG_INDEXES = {
    "none": EMPTY,
    "an empty value": block(entry(b"b")),
    "half a handle": block(entry(b"b", b"\0")),
    "a byte too many": block(entry(b"b", HANDLE + b"\0")),
    "a spare byte": block(entry(b"b", b"\x80\0" + HANDLE[1:])),
    "65 bits": block(entry(b"b", encoded(0, 2**64))),
    "64 bits": block(entry(b"b", encoded(0, 2**64 - 1))),
    "wraps around": block(entry(b"b", encoded(2**64 - 5, len(GOOD)))),
    "without end": block(entry(b"b", b"\0" + b"\xff" * 30)),
    "starts late": block(entry(b"b", encoded(1, len(GOOD) - 1))),
    "ends early": block(entry(b"b", encoded(0, len(GOOD) - 1))),
    "ends late": block(entry(b"b", encoded(0, len(GOOD) + 1))),
    "the metaindex": block(entry(b"b", encoded(23, 8))),
    "the footer": block(entry(b"b", encoded(0, 18 + 5 + 13 + 14 + 40))),
    "twice": block(entry(b"b", HANDLE), entry(b"c", HANDLE), restarts=(0, 6)),
    "keys that descend": block(
        entry(b"b", encoded(0, 4)), entry(b"a", encoded(9, 9)), restarts=(0, 6)
    ),
    "keys that share": block(entry(b"b", encoded(0, 4)), entry(b"c", encoded(9, 9), shared=1)),
    "no restarts": block(entry(b"b", HANDLE), restarts=()),
}


@pytest.mark.parametrize("wrong", WRONG_INDEXES)
def test_wrong_indexes_are_refused_when_opened(wrong: str) -> None:
    assert content(table((b"b", GOOD), index=block(entry(b"b", HANDLE))))
    message = (
        r"^x\.ldb: (handle|number|key|entry|number of restarts|metaindex) at byte \d+: expected"
    )
    with pytest.raises(IndexFileError, match=message):
        opened(table((b"b", GOOD), index=WRONG_INDEXES[wrong]))


def test_handles_stay_before_the_metaindex() -> None:
    index = block(entry(b"b", encoded(0, 19)), b"never read")
    with pytest.raises(IndexFileError, match=r"handle at byte .* that ends by byte 23, in 2 bytes"):
        opened(table((b"b", GOOD), index=index))


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 8, 145, 14),
        (132, 8, 132, 8),
        (132, 7, 145, 14),
        (132, 8, 145, 15),
        (132, 8, 145, 62),
        (132, 8, 164, 14),
        (145, 14, 132, 8),
        (2**64 - 1, 2**64 - 1, 2**64 - 1, 2**64 - 1),
        (2**64 + 132, 8, 145, 14),
        (132 - 2**32 & 2**64 - 1, 8 + 2**32, 145, 14),
        (132, 8, 145, 14, 1),
        (132, 8, 145),
    ],
)
def test_wrong_footers_are_refused(numbers: tuple[int, ...]) -> None:
    places = encoded(*numbers)
    with pytest.raises(IndexFileError, match=r"^x\.ldb: (footer|number) at byte \d+: expected"):
        opened(DUMMY_BYTES[:164] + places.ljust(40, b"\0")[:40] + DUMMY_BYTES[-8:])
    with pytest.raises(IndexFileError, match=r"number at byte 164"):
        opened(DUMMY_BYTES[:164] + b"\xff" * 40 + DUMMY_BYTES[-8:])


def test_data_in_no_block_is_refused() -> None:
    with pytest.raises(IndexFileError, match="metaindex at byte 23: expected its start here"):
        opened(table((b"b", GOOD), between=b"hidden"))
    with pytest.raises(IndexFileError, match="metaindex at byte 0: expected its start here"):
        opened(table(between=b"hidden"))


def test_keys_that_share_without_end_are_refused_early() -> None:
    """Each of many entries adds a byte to a key that grows: a million would unfold to 500 GB."""
    entries = [entry(b"a"), *(entry(b"a", shared=number) for number in range(1, 1_000))]
    found = Block(Span("x.ldb", memoryview(block(*entries))), 16).entries()
    assert [key for key, _, _ in islice(found, 16)] == [b"a" * size for size in range(1, 17)]
    with pytest.raises(IndexFileError, match="expected a restart each 16 entries"):
        next(found)


@settings(max_examples=800, deadline=None)
@given(st.data())
def test_any_change_under_a_right_checksum_is_refused_or_a_sorted_table(
    data: st.DataObject,
) -> None:
    """Data block, index, metaindex or snappy bytes, changed anywhere."""
    items = {f"M_{number}".encode(): b"text" * 3 for number in range(100, 140)}
    body = bytearray(written(items)[: opened(written(items))._handles[0].size])
    packed = bytearray(cramjam.snappy.compress_raw(bytes(body)))
    index = bytearray(block(entry(b"N", encoded(0, len(body)))))
    metaindex = bytearray(EMPTY)
    part = data.draw(st.sampled_from([body, packed, index, metaindex]))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(part) - 1))
        part[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        if part is packed:
            found = opened(table((b"N", bytes(packed)), kind=1))
        else:
            found = opened(table((b"N", bytes(body)), metaindex=bytes(metaindex)))
            if part is index:
                found = opened(table((b"N", bytes(body)), index=bytes(index)))
        seen = list(found)
    except IndexFileError:
        return
    keys = [key for key, _ in seen]
    assert all(a < b for a, b in pairwise(keys))
    assert all(found.get(key).data == value.data for key, value in seen)
