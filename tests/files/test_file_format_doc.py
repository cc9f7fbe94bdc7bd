"""What ``docs/file-format.md`` says of bytes, fields, leaves, scores and refusals is so."""

from __future__ import annotations

import doctest
import io
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from scannlite import Index
from scannlite.engine.device import leaves_searched, search_fraction
from scannlite.errors import IndexFileError
from scannlite.files import index_config, model_schema, sstable
from scannlite.files.flatbuffer import Head
from scannlite.files.index_config import AsymmetricHashing, IndexConfig, Partitioner, to_wire
from scannlite.files.model_file import INDEX_NAME, attach_index
from scannlite.files.span import Span

google_crc32c = pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
pytest.importorskip("google.protobuf", reason="needs the extra 'device'")
pytest.importorskip("flatbuffers", reason="needs the extra 'device'")

DOC = Path(__file__).parents[2] / "docs" / "file-format.md"
TEXT = DOC.read_text("utf-8")


def table(*heads: str) -> list[list[str]]:
    """The rows of the one table of the document with these heads."""
    found = []
    for is_table, lines in groupby(TEXT.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
            if rows[0] == list(heads):
                found.append(rows[2:])
    (rows,) = found
    assert {len(row) for row in rows} == {len(heads)}
    return rows


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@cache
def example() -> dict[str, object]:
    """The names that the example of the document defines."""
    names: dict[str, object] = {}
    test = doctest.DocTestParser().get_doctest(TEXT, names, DOC.name, str(DOC), 0)
    assert doctest.DocTestRunner(verbose=False).run(test, clear_globs=False).failed == 0
    return test.globs


def example_bytes() -> bytes:
    file = example()["file"]
    assert isinstance(file, io.BytesIO)
    return file.getvalue()


# ---- the example -------------------------------------------------------------------------------


def test_the_example_in_the_document_is_true() -> None:
    (documented,) = re.findall(r"```hexdump\n(.*?)\n```", TEXT, re.DOTALL)
    raw, lines = example_bytes(), []
    for at in range(0, len(raw), 16):
        row = raw[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:04x}  {row.hex(' '):47}  |{text}|")
    assert "\n".join([*lines, f"{len(raw):04x}"]) == documented
    assert len(raw) < 500


def floats(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def masked_crc(covered: bytes) -> int:
    crc = google_crc32c.value(covered)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def head(number: int, content: bytes) -> bytes:
    return field(number, content)[:2]


def vector(*numbers: float) -> bytes:
    return field(1, floats(*numbers))


def by_hand() -> Iterator[tuple[bytes, list[str]]]:
    """The whole file from the rules of the document: some bytes, and words that tell them."""
    first = [field(1, vector(0, 0)), field(1, vector(5, 1))]
    second = [field(1, vector(18)), field(1, vector(-1.5))]
    leaves = [field(1, vector(2.5, 0.5, -1.5)), field(1, vector(2.5, 0.5, 18))]
    books = b"".join(first), b"".join(second)
    hashing = b"".join(field(1, book) for book in books) + b"\x10\0\x18\2"
    indexer = field(1, hashing)
    tree = b"".join(leaves) + b"\x15" + floats(0.5) + b"\x18\0"
    scann = b"\x08\0" + field(2, indexer) + field(3, tree)
    config = field(1, scann) + b"\x10\2\x18\2" + field(4, bytes([0, 3]))
    metadata = [b"apple", b"pear", b"plum", b"kale", b"leek"]

    block: list[tuple[bytes, list[str]]] = [
        (bytes([0, 3, 6]) + b"E_0", ["`E_0`", "3 bytes", "its value 6"]),
        (bytes([0, 1, 1, 1, 0, 1]), ["three rows of leaf 0"]),
        (bytes([2, 1, 4]) + b"1", ["`E_1`", "shares 2 bytes, `E_`", "4 bytes"]),
        (bytes([0, 0, 1, 0]), ["two rows of leaf 1"]),
        (bytes([0, 12, len(config)]) + b"INDEX_CONFIG", ["`INDEX_CONFIG`", f"{len(config)} bytes"]),
        (head(1, scann), ["`scann_config`", f"{len(scann)} bytes", "up to `0084`"]),
        (b"\x08\0", ["`query_distance`: `SQUARED_L2_DISTANCE`"]),
        (head(2, indexer), ["`indexer`", f"{len(indexer)} bytes", "up to `005b`"]),
        (head(1, hashing), ["`asymmetric_hashing`", f"{len(hashing)} bytes"]),
        (head(1, books[0]), ["first `subspace`", f"{len(books[0])} bytes"]),
        (first[0], ["`entry`, 10 bytes", "`dimension`, 8 bytes: 0, 0", "b is 2"]),
        (first[1], ["`entry`: 5, 1"]),
        (head(1, books[1]), ["second `subspace`", f"{len(books[1])} bytes"]),
        (second[0], ["`entry`, 6 bytes", "`dimension`, 4 bytes: 18", "b is 1", "d is 3"]),
        (second[1], ["`entry`: -1.5"]),
        (b"\x10\0", ["`query_distance`: `SQUARED_L2_DISTANCE`"]),
        (b"\x18\2", ["`lookup_type`: `INT8`"]),
        (head(3, tree), ["`partitioner`", f"{len(tree)} bytes", "up to `0084`"]),
        (leaves[0], ["`leaf`, 14 bytes", "`dimension`, 12 bytes: 2.5, 0.5, -1.5"]),
        (leaves[1], ["`leaf`: 2.5, 0.5, 18"]),
        (b"\x15" + floats(0.5), ["`search_fraction`: 0.5"]),
        (b"\x18\0", ["`query_distance`: `SQUARED_L2_DISTANCE`"]),
        (b"\x10\2", ["`embedding_type`: `UINT8`"]),
        (b"\x18\2", ["`embedding_dim`: 2"]),
        (field(4, bytes([0, 3])), ["`global_partition_offsets`, 2 bytes: 0, 3"]),
        (b"\0\3\5M_0apple", ["`M_0`: `apple`"]),
    ]
    for i, item in enumerate(metadata[1:], 1):
        block.append((b"\2\1\4" + b"%d" % i + item, [f"`M_{i}`: `{item.decode()}`"]))
    block.append((b"\0\x09\2USER_INFO" + b"v1", ["`USER_INFO`: `v1`"]))
    one_restart = struct.pack("<2I", 0, 1)
    size = sum(len(part) for part, _ in block) + 8
    block.append((one_restart, [f"the block has {size} bytes", "one restart"]))
    yield from block
    crc = masked_crc(b"".join(part for part, _ in block) + b"\0")
    said = ["not packed", f"`{crc:08x}`", f"bytes `0000` to `{size:04x}`"]
    yield b"\0" + struct.pack("<I", crc), said
    yield one_restart, ["metaindex, 8 bytes, no entries"]
    crc = masked_crc(one_restart + b"\0")
    yield b"\0" + struct.pack("<I", crc), ["not packed", f"`{crc:08x}`"]
    varint = bytes([size & 127 | 128, size >> 7])
    entry = b"\0\1\3V" + b"\0" + varint
    said = ["the key `V`", f"offset 0, size {size} (`{varint.hex(' ')}`)"]
    yield entry, said
    yield one_restart, [f"the block has {len(entry) + 8} bytes"]
    crc = masked_crc(entry + one_restart + b"\0")
    yield b"\0" + struct.pack("<I", crc), ["not packed", f"`{crc:08x}`"]
    metaindex, index = size + 5, size + 5 + 13
    for at, extent in ((metaindex, 8), (index, len(entry) + 8)):
        handle = bytes([at & 127 | 128, at >> 7, extent])
        yield handle, [f" at {at} (`{at:04x}`), {extent} bytes"]
    yield bytes(40 - 6), ["zeros up to byte 40"]
    yield bytes.fromhex("57fb808b247547db"), ["magic"]


def hex_of(cell: str) -> bytes:
    """The bytes that a cell shows: runs of hex digits, one of them maybe repeated."""
    (times,) = re.findall(r"× (\d+)$", cell) or ["1"]
    return b"".join(map(bytes.fromhex, quoted(cell))) * int(times)


def test_the_example_read_by_hand() -> None:
    """The table that explains the bytes: where they are, what they are, and all that it says."""
    rows, at = table("bytes", "what they are", "what they say"), 0
    parts = list(by_hand())
    assert b"".join(part for part, _ in parts) == example_bytes()
    for (place, content, told), (part, words) in zip(rows, parts, strict=True):
        assert place == f"`{at:04x}`"
        assert hex_of(content) == part, place
        for word in words:
            assert word in told, place
        at += len(part)


def test_the_scores_of_the_example() -> None:
    """Worked from the formulas, with numbers that float64 and float32 hold alike."""
    y, leaves = np.array([1.0, 0, 2]), np.array([[2.5, 0.5, -1.5], [2.5, 0.5, 18]])
    z = [np.array([[0.0, 0], [5, 1]]), np.array([[18.0], [-1.5]])]
    rows = np.array([[0, 1], [1, 1], [0, 1]])
    ranks = (leaves**2).sum(1) - 2 * leaves @ y
    p = leaves_searched(2, 0.5)
    assert np.argsort(ranks)[:p].tolist() == [0]
    parts = zip(z, (y[:2], y[2:]), strict=True)
    e = [(part @ part + (book**2).sum(1)) - 2 * book @ part for book, part in parts]
    mn, mx = min(map(min, e)), max(map(max, e))
    scale, dq = 255 / (mx - mn), (mx - mn) / 255
    v = [np.trunc((entries - mn) * scale) for entries in e]
    bias = 2 * (mn + dq / 2)
    distances = [dq * sum(v[j][code] for j, code in enumerate(row)) + bias for row in rows]
    exact = [sum(e[j][code] for j, code in enumerate(row)) for row in rows]
    answer = sorted(range(3), key=lambda row: (distances[row], row))
    told = {what: numbers for _, what, numbers in table("by", "what", "numbers")}
    for what, numbers in {
        "leaves": ranks,
        "e[0, i]": e[0],
        "e[1, i]": e[1],
        "mn, mx, scale, dq": (mn, mx, scale, dq),
        "v[0, i]": v[0],
        "v[1, i]": v[1],
        "2 (mn + dq / 2)": [bias],
        "distances of rows 0, 1, 2": distances,
        "the same, were the tables `FLOAT`": exact,
        "the answer": answer,
    }.items():
        assert told.pop(what) == ", ".join(f"{number:g}" for number in numbers), what
    assert told == {"p, searched": "1, leaf 0"}
    found = example()["distances"], example()["ids"]
    assert (found[0].tolist(), found[1].tolist()) == (sorted(distances), answer)


# ---- fields, and leaves searched ---------------------------------------------------------------


def test_all_fields_are_there() -> None:
    plain = {
        "uint32s": "repeated `uint32`, packed",
        "floats": "repeated `float`, packed",
    }
    told = {}
    rows = table("message", "field", "number", "type", "default", "meaning")
    for message, name, number, kind, *_ in rows:
        told[quoted(message)[0], quoted(name)[0], int(number)] = kind
    described = {
        (message, name, number): kind
        for message, fields in index_config._MESSAGES.items()
        for name, number, kind in fields
    }
    assert list(told) == list(described)
    for place, kind in described.items():
        if kind == "messages":
            assert re.fullmatch("repeated `(Vector|Subspace)`", told[place])
        else:
            assert told[place] == plain.get(kind, f"`{kind}`")


def test_all_numbers_of_enums_are_there() -> None:
    told = dict(table("enum", "values"))
    short = {"squared_l2": "SQUARED_L2_DISTANCE"}
    for name, values in index_config._ENUMS.items():
        names = [f"`{short.get(value, value.upper())}` {i}" for i, value in enumerate(values)]
        assert told.pop(f"`{name}`") == ", ".join(names)
    assert not told


def test_fractions_give_the_leaves_that_the_document_says() -> None:
    rows = table("L", "p", "p / L", "searched", "written", "bytes", "searched")
    assert any(searched != p for _, p, _, searched, *_ in rows)
    for L, p, quotient, one_more, written, raw, searched in rows:
        leaves, to_search = int(L), int(p)
        divided = np.float32(to_search / leaves)
        fraction = np.float32(search_fraction(leaves, to_search))
        assert (str(divided), str(fraction)) == (quotient, written)
        assert f"`{fraction.tobytes().hex(' ')}`" == raw
        assert leaves_searched(leaves, float(divided)) == int(one_more)
        assert leaves_searched(leaves, float(fraction)) == int(searched) == to_search


def test_how_often_the_quotient_gives_one_leaf_more() -> None:
    more = pairs = 0
    for L in range(1, 201):
        p = np.arange(1, L + 1)
        product = np.float32(L) * (p / L).astype(np.float32)
        excess = np.minimum(np.ceil(product), L) - p
        assert set(excess.tolist()) <= {0, 1}
        more, pairs = more + int(excess.sum()), pairs + L
    assert f"of the {pairs:,} pairs with L up to 200 that is so for {more}, and none" in TEXT


# ---- what is refused ---------------------------------------------------------------------------


def array(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32)


TREE = Partitioner(array([2.5, 0.5, -1.5], [2.5, 0.5, 18]), 0.5, "squared_l2")
HASHING = AsymmetricHashing([array([0, 0], [5, 1]), array([18], [-1.5])], "squared_l2", "int8")
BOOK = HASHING.codebooks[1]
CODES = IndexConfig("squared_l2", TREE, HASHING, "uint8", 2, np.array([0, 3]))
FLOATS = IndexConfig("squared_l2", TREE, None, "float", 3, np.array([0, 1]))
CODE_PARTS = (bytes([0, 1, 1, 1, 0, 1]), bytes([0, 0, 1, 0]))
FLOAT_PARTS = (floats(0, 0, -1.5), floats(5, 1, 18))
WIRE = to_wire(CODES)


def made(
    config: IndexConfig | bytes, *partitions: bytes, less: bytes = b"", **more: bytes
) -> bytes:
    """A table with five rows' metadata, without one key, and with some more."""
    items = {b"E_%d" % i: part for i, part in enumerate(partitions)}
    items |= {b"M_%d" % i: b"item" for i in range(5)}
    items[b"INDEX_CONFIG"] = config if isinstance(config, bytes) else to_wire(config)
    items |= {key.encode(): value for key, value in more.items()}
    items.pop(less, None)
    file = io.BytesIO()
    sstable.write(file, sorted(items.items()))
    return file.getvalue()


def codes(*parts: bytes, **changes: object) -> bytes:
    return made(replace(CODES, **changes), *(parts or CODE_PARTS))


def rows_of(*parts: bytes, **changes: object) -> bytes:
    return made(replace(FLOATS, **changes), *(parts or FLOAT_PARTS))


def tree(*parts: bytes, **changes: object) -> bytes:
    return codes(*parts, partitioner=replace(TREE, **changes))


def hashing(*parts: bytes, **changes: object) -> bytes:
    return codes(*parts, indexer=replace(HASHING, **changes))


def wire(leaves: list[list[float]], books: list[list[list[float]]]) -> bytes:
    """The configuration of the example with vectors of any lengths."""
    subspaces = [b"".join(field(1, vector(*entry)) for entry in book) for book in books]
    hashed = b"".join(field(1, subspace) for subspace in subspaces) + b"\x10\0\x18\2"
    parted = b"".join(field(1, vector(*leaf)) for leaf in leaves)
    parted += b"\x15" + floats(0.5) + b"\x18\0"
    scann = b"\x08\0" + field(2, field(1, hashed)) + field(3, parted)
    return field(1, scann) + b"\x10\2\x18\2" + field(4, bytes([0, 3]))


def ragged(leaf: list[float], entry: list[float]) -> bytes:
    books = [[[0, 0], entry], [[18], [-1.5]]]
    return made(wire([[2.5, 0.5, -1.5], leaf], books), *CODE_PARTS)


WHOLE = codes()
ROW_BYTE = WHOLE.index(CODE_PARTS[0])

BROKEN_TABLES = {
    "a byte of a row is changed": WHOLE[:ROW_BYTE] + b"\1" + WHOLE[ROW_BYTE + 1 :],
    "the end is cut off": WHOLE[:-1],
    "the footer's padding is not zero": WHOLE[:-9] + b"\1" + WHOLE[-8:],
    "no configuration": made(CODES, *CODE_PARTS, less=b"INDEX_CONFIG"),
    "no `E_0`, but `E_1`": made(CODES, *CODE_PARTS, less=b"E_0"),
    "a key `E_01`": made(CODES, *CODE_PARTS, E_01=b""),
    "no metadata of a row": made(CODES, *CODE_PARTS, less=b"M_0"),
    "a row and two bytes": rows_of(FLOAT_PARTS[0] + b"\0\0", FLOAT_PARTS[1]),
    "no protobuf message": made(b"\xff", *CODE_PARTS),
}
WIDE = replace(FLOATS, partitioner=None, embedding_dim=32_769, partition_offsets=np.array([0]))
BROKEN_CONFIGURATIONS = {
    "no embedding type": codes(embedding_type=None),
    "dimension 0": rows_of(embedding_dim=0),
    "no offsets": codes(partition_offsets=np.array([], np.int64)),
    "other offsets": codes(partition_offsets=np.array([0, 2])),
    "float rows and an indexer": rows_of(indexer=HASHING),
    "codes without an indexer": codes(indexer=None),
    "an indexer without codebooks": hashing(codebooks=[]),
    "three bytes a row, two codebooks": codes(bytes(9), bytes(6), embedding_dim=3),
    "codebooks of 2 and 3 entries": hashing(codebooks=[HASHING.codebooks[0], array([1], [2], [3])]),
    "a codebook without entries": hashing(codebooks=[np.zeros((0, 2), np.float32), BOOK]),
    "entries of 1 and 2 dimensions": ragged([2.5, 0.5, 18], [5]),
    "entries of no dimensions": hashing(codebooks=[np.zeros((2, 0), np.float32), BOOK]),
    "a code beyond the centers": codes(bytes([0, 5, 1, 1, 0, 1]), CODE_PARTS[1]),
    "`INT8_LUT16`": hashing(lookup_type="int8_lut16"),
    "leaves of 2 and 3 dimensions": ragged([2.5, 0.5], [5, 1]),
    "leaves of other dimensions than rows": tree(leaves=TREE.leaves[:, :2]),
    "more leaves than partitions": tree(leaves=np.vstack([TREE.leaves, TREE.leaves[:1]])),
    "fewer leaves than partitions": tree(leaves=TREE.leaves[:1]),
    "a tree without leaves": tree(leaves=TREE.leaves[:0]),
    "two partitions, no tree": codes(partitioner=None),
    "`search_fraction` 0": tree(search_fraction=0.0),
    "`search_fraction` below 0, or NaN": tree(search_fraction=-1.0),
    "no distance": rows_of(
        *FLOAT_PARTS[:1], partitioner=None, query_distance=None, partition_offsets=np.array([0])
    ),
    "parts that differ, and none for the whole": codes(
        query_distance=None, partitioner=replace(TREE, query_distance="dot_product")
    ),
    "codes with an `UNSPECIFIED` distance": hashing(query_distance="unspecified"),
    "a row with NaN, infinity or beyond 1e17": rows_of(floats(np.nan, 0, 0), FLOAT_PARTS[1]),
    "a leaf with NaN, infinity or beyond 4e17": tree(leaves=array([0, 0, 5e17], [0, 0, 0])),
    "an entry with NaN, infinity or beyond 4e17": hashing(
        codebooks=[array([0, 0], [np.nan, 1]), BOOK]
    ),
    "rows of 32,769 dimensions": made(WIDE, bytes(4 * 32_769)),
}


def test_the_tables_that_are_broken_here_are_whole_before() -> None:
    assert wire(TREE.leaves.tolist(), [book.tolist() for book in HASHING.codebooks]) == WIRE
    assert ragged([2.5, 0.5, 18], [5, 1]) == WHOLE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.ldb"


def message_of(path: Path) -> str:
    """What is said of a file that must be refused, at the latest when metadata is asked for."""
    with pytest.raises(IndexFileError) as raised:
        list(Index.load(path).metadata or ())
    return str(raised.value)


@pytest.mark.parametrize(
    ("subject", "broken"),
    [("the table", BROKEN_TABLES), ("the configuration", BROKEN_CONFIGURATIONS)],
)
def test_what_is_refused_is_refused_in_those_words(
    subject: str, broken: dict[str, bytes], path: Path
) -> None:
    rows = table(subject, "the device", "the error here")
    assert [case for case, _, _ in rows] == list(broken)
    for case, _, error in rows:
        path.write_bytes(broken[case])
        (words,) = quoted(error)
        assert words in message_of(path), case


def test_what_is_not_refused_is_read(path: Path) -> None:
    """The tables that are broken above, unbroken; and what the document says is passed over."""
    wide = replace(WIDE, embedding_dim=32_768)
    ignored = made(CODES, *CODE_PARTS, M_5=b"of no row", M_00=b"", more=b"")
    for raw in (WHOLE, rows_of(), made(wide, bytes(4 * 32_768)), ignored):
        path.write_bytes(raw)
        assert set(Index.load(path).metadata or ()) == {b"item"}
        assert Index.load(path).userinfo == b""
    path.write_bytes(made(CODES, *CODE_PARTS, USER_INFO=b"ab\0cd"))
    assert Index.load(path).userinfo == b"ab\0cd"


# ---- scores ------------------------------------------------------------------------------------

f4 = np.float32


def one_by_one(terms: np.ndarray) -> np.ndarray:
    """The sum over the first axis, from 0 in order."""
    total = np.zeros(terms.shape[1:], np.float32)
    for term in terms:
        total = total + term
    return total


def products(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rule 1, for centers or leaves z (c, b)."""
    terms, step = (z * y).T, 16 if len(z) < 8000 else 4
    if len(y) < 128 or len(z) == 1:
        return one_by_one(terms)
    columns = [one_by_one(terms[at : at + step]) for at in range(0, len(y), step)]
    return one_by_one(np.array(columns))


def norm_of_part(y: np.ndarray) -> np.float32:
    """Rule 2."""
    squares, eights, fours = y * y, len(y) // 8 * 8, len(y) // 4 * 4
    s = one_by_one(squares[:eights].reshape(-1, 2, 4)[:, 0])
    t = one_by_one(squares[:eights].reshape(-1, 2, 4)[:, 1])
    sums = s + t
    if fours > eights:
        sums = sums + squares[eights:fours]
    total = (sums[0] + sums[2]) + (sums[1] + sums[3])
    for square in squares[fours:]:
        total = total + square
    return f4(total)


def norms(z: np.ndarray) -> np.ndarray:
    """Rule 3, for centers or leaves z (c, b)."""
    out = []
    for number, x in enumerate(z * z):
        total, at = x[0], 1
        while number < len(z) // 4 * 4 and at + 4 <= len(x):
            total = total + ((x[at] + x[at + 1]) + (x[at + 2] + x[at + 3]))
            at += 4
        for square in x[at:]:
            total = total + square
        out.append(total)
    return np.array(out, np.float32)


def scored(entries: list[np.ndarray], row: np.ndarray, lookup: str) -> np.float32:
    """Rules 8 to 10, for the codes of one row."""
    m, c = len(entries), len(entries[0])
    step, dist = 256 if lookup == "int8" and c == 16 else 32, f4(0)
    mn, mx = min(map(min, entries)), max(map(max, entries))
    maxq = f4(255 if lookup == "int8" else 2047)
    scale, dq = maxq / max(mx - mn, f4(2**-23)), (mx - mn) / maxq
    for first in range(0, m, step):
        group = range(first, min(first + step, m))
        found = np.array([entries[j][row[j]] for j in group], np.float32)
        if lookup == "float":
            dist = dist + one_by_one(found)
        else:
            acc = f4(int(np.trunc((found - mn) * scale).sum(dtype=np.float64)))
            dist = dist + (dq * acc + f4(len(group)) * (mn + dq / f4(2)))
    return f4(dist)


@pytest.mark.parametrize("lookup", ["int8", "int16", "float"])
@pytest.mark.parametrize("c", [1, 7, 16])
@pytest.mark.parametrize("measure", ["squared_l2", "dot_product"])
def test_scores_follow_the_rules(
    measure: index_config.Measure, c: int, lookup: index_config.Lookup, path: Path
) -> None:
    """The rules of the document written down anew, to the last bit."""
    rng = np.random.default_rng(c)
    dims = [2, 3, 4, 7, 13, 131, *[1] * 60]
    m, d, L, p = len(dims), sum(dims), 5, 2
    y, leaves = rng.normal(size=d).astype(f4), rng.normal(size=(L, d)).astype(f4)
    books = [rng.normal(size=(c, b)).astype(f4) for b in dims]
    parts = [rng.integers(0, c, (20, m)).astype(np.uint8) for _ in range(L)]
    config = IndexConfig(
        measure,
        Partitioner(leaves, search_fraction(L, p), measure),
        AsymmetricHashing(books, measure, lookup),
        "uint8",
        m,
        20 * np.arange(L),
    )
    path.write_bytes(made(config, *(part.tobytes() for part in parts)))
    squared = measure == "squared_l2"
    ranks = norms(leaves) - f4(2) * products(leaves, y) if squared else -products(leaves, y)
    entries, at = [], 0
    for book in books:
        part = y[at : at + book.shape[1]]
        at += len(part)
        if squared:
            entries.append((norm_of_part(part) + norms(book)) - f4(2) * products(book, part))
        else:
            entries.append(-products(book, part))
    expected = [
        (scored(entries, row, lookup), 20 * leaf + place)
        for leaf in np.argsort(ranks, kind="stable")[:p]
        for place, row in enumerate(parts[leaf])
    ]
    distances, ids = Index.load(path).search(y, k=20 * p)
    assert list(zip(distances, ids, strict=True)) == sorted(expected)


# ---- models ------------------------------------------------------------------------------------


def model(inputs: int = 1, outputs: int = 1) -> bytes:
    """The least that an index can be attached to."""
    head = Head("a test")
    buffer = head.table(model_schema.BUFFER, {})
    places = {
        name: head.vector([buffer] * count)
        for name, count in (("inputs", inputs), ("outputs", outputs))
    }
    graph = head.table(model_schema.SUBGRAPH, places)
    values = {"subgraphs": head.vector([graph]), "buffers": head.vector([buffer])}
    return head.finish(head.table(model_schema.MODEL, values), b"TFL3")


def searcher(embedder: bytes) -> bytes:
    out = io.BytesIO()
    attach_index(Span("model.tflite", memoryview(embedder)), WHOLE, out)
    return out.getvalue()


def zipped(flat: bytes, name: str, method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO(flat)
    with zipfile.ZipFile(out, "a", method) as archive:
        archive.writestr(name, WHOLE)
    return out.getvalue()


def test_models_are_refused_in_those_words(tmp_path: Path) -> None:
    whole, path = searcher(model()), tmp_path / "searcher.tflite"
    flat = whole[: whole.index(b"PK\3\4")]
    item = whole.rindex(b"item")
    broken = {
        "not a model": WHOLE[:-1],
        "no index named": model(),
        "an index named that is not in the zip": zipped(flat, "vocab.txt"),
        "a packed member": zipped(flat, INDEX_NAME, zipfile.ZIP_DEFLATED),
        "a byte of the table changed, in the zip": whole[:item] + b"I" + whole[item + 1 :],
        "offsets from the start of the zip": flat + zipped(b"", INDEX_NAME),
        "the end is cut off": whole[:-1],
    }
    rows = table("the model", "the device", "the error here")
    assert [case for case, _, _ in rows] == list(broken)
    for case, _, error in rows:
        path.write_bytes(broken[case])
        (words,) = quoted(error)
        assert words in message_of(path), case
    for read in (whole, zipped(flat, INDEX_NAME)):
        path.write_bytes(read)
        assert set(Index.load(path).metadata or ()) == {b"item"}


def test_a_model_with_an_index_lies_as_it_is_drawn() -> None:
    """A head of a multiple of 64 bytes, the old model as it was, and the zip; by those rules."""
    old = model(inputs=3, outputs=2)
    new = searcher(old)
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        (member,) = archive.infolist()
        start = member.header_offset
        assert (member.filename, member.date_time[:3]) == (INDEX_NAME, (1980, 1, 1))
        assert (member.external_attr >> 16 & 0o777, member.extra) == (0o644, b"")
        assert archive.read(member) == WHOLE
    size = start - len(old)
    assert size > 0
    assert size % 64 == 0
    assert new[size:start] == old
    assert new[4:8] == old[4:8] == b"TFL3"
    metadata = new.index(b"M001", 0, size) - 4
    assert metadata % 64 == 0
    assert b"1.4.0" in new[metadata:size]
    assert INDEX_NAME.encode() in new[metadata:size]
    assert new == searcher(old)
    again = searcher(new)
    assert again == new
