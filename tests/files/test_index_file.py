"""What an index file says: read as protobuf readers do, and damage never believed."""

from __future__ import annotations

import dataclasses
import functools
import io
import re
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scannlite import Index, IndexFileError
from scannlite.files import index_file, sstable
from scannlite.files.index_config import (
    AsymmetricHashing,
    IndexConfig,
    Partitioner,
    from_wire,
    to_wire,
)
from scannlite.files.span import Span
from tests.kernels.test_device import phone
from tests.strategies import same_bits, seeds

google_crc32c = pytest.importorskip("google_crc32c", reason="needs the extra 'device'")
pytest.importorskip("cramjam", reason="needs the extra 'device'")
pytest.importorskip("google.protobuf", reason="needs the extra 'device'")
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory  # noqa: E402

modest = settings(deadline=None, max_examples=200)
BOTH = pytest.mark.parametrize("compression", [False, True])

MEASURES = ("squared_l2", "dot_product", "unspecified")
LOOKUPS = ("float", "int16", "int8", "int8_lut16")
EMBEDDINGS = ("unspecified", "float", "uint8")


# ---- a writer of messages that has nothing of the package's ------------------------------------


def varint(number, spare=0):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    for _ in range(spare):  # bytes that say no more, which readers accept
        out[-1] |= 128
        out.append(0)
    return bytes(out)


def inside(number, data, spare=0):
    """A field of bytes, a message or packed numbers."""
    return varint(8 * number + 2) + varint(len(data), spare) + data


def whole(number, value):
    """A field of a whole number or an enum's; None is not written."""
    return b"" if value is None else varint(8 * number) + varint(value)


def named(number, value, names):
    return whole(number, None if value is None else names.index(value))


def packed(row, style="packed"):
    """Field 1, floats: in one run, one by one, in runs of two, or with an empty run before."""
    values = [struct.pack("<f", x) for x in row]
    if style == "single":
        return b"".join(b"\x0d" + value for value in values)
    if style == "runs":
        return b"".join(inside(1, b"".join(values[i : i + 2])) for i in range(0, len(values), 2))
    if style == "mixed":
        return inside(1, b"") + b"".join(b"\x0d" + x for x in values[:1]) + packed(row[1:])
    return inside(1, b"".join(values), spare=style == "spare")


def encoded(config, style=lambda: "packed", unknown=lambda: b""):
    """An IndexConfig on the wire, each vector in a style, with unknown fields where wanted."""
    parts = [named(1, config.query_distance, MEASURES)]
    if config.indexer is not None:
        hashing = config.indexer
        fields = [
            inside(1, b"".join(inside(1, packed(row, style()) + unknown()) for row in book))
            for book in hashing.codebooks
        ]
        fields.append(named(2, hashing.query_distance, MEASURES))
        fields.append(named(3, hashing.lookup_type, LOOKUPS) + unknown())
        parts.append(inside(2, inside(1, b"".join(fields)) + unknown()))
    if config.partitioner is not None:
        tree = config.partitioner
        fields = [inside(1, packed(leaf, style()) + unknown()) for leaf in tree.leaves]
        if tree.search_fraction is not None:
            fields.append(b"\x15" + struct.pack("<f", tree.search_fraction))
        fields.append(named(3, tree.query_distance, MEASURES) + unknown())
        parts.append(inside(3, b"".join(fields)))
    offsets = b"".join(map(varint, config.partition_offsets.tolist()))
    parts = [inside(1, b"".join(parts) + unknown())]
    parts.append(named(2, config.embedding_type, EMBEDDINGS))
    parts.append(whole(3, config.embedding_dim) + unknown())
    parts.append(inside(4, offsets) if len(config.partition_offsets) else b"")
    return b"".join(parts)


def read(data):
    return from_wire(Span("x.ldb", memoryview(bytes(data)), 100))


def same(a, b):
    """Whether two configurations say the same, numbers to the bit and None apart from defaults."""
    if (a.partitioner is None, a.indexer is None) != (b.partitioner is None, b.indexer is None):
        return False
    equal = [
        a.query_distance == b.query_distance,
        a.embedding_type == b.embedding_type,
        a.embedding_dim == b.embedding_dim,
        same_bits(a.partition_offsets, b.partition_offsets),
    ]
    if a.partitioner is not None:
        x, y = a.partitioner, b.partitioner
        equal.append(same_bits(x.leaves, y.leaves))
        equal.append(x.query_distance == y.query_distance)
        equal.append(repr(x.search_fraction) == repr(y.search_fraction))
    if a.indexer is not None:
        x, y = a.indexer, b.indexer
        equal.append(len(x.codebooks) == len(y.codebooks))
        equal += [same_bits(p, q) for p, q in zip(x.codebooks, y.codebooks, strict=False)]
        equal.append((x.query_distance, x.lookup_type) == (y.query_distance, y.lookup_type))
    return all(equal)


def _floats(seed, *shape):
    """Any bits, of which some are no numbers, and some that are usual."""
    rng = np.random.default_rng(seed)
    if seed % 2:
        return rng.standard_normal(shape).astype(np.float32)
    bits = rng.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
    return np.where(np.isnan(bits), np.float32(np.nan), bits)  # of one kind: text keeps no bits


float32s = st.floats(width=32, allow_nan=False)
wholes = st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1))


@st.composite
def configs(draw):
    def maybe(strategy):
        return draw(st.none() | strategy)

    partitioner = indexer = None
    if draw(st.booleans()):
        shape = draw(st.sampled_from([(0, 0), (1, 1), (3, 2), (2, 40), (200, 3), (1, 300), (2, 0)]))
        partitioner = Partitioner(
            _floats(draw(seeds), *shape), maybe(float32s), maybe(st.sampled_from(MEASURES))
        )
    if draw(st.booleans()):
        shapes = st.tuples(st.integers(1, 20), st.sampled_from([1, 2, 3, 31, 32, 33, 0]))
        books = [_floats(draw(seeds), *shape) for shape in draw(st.lists(shapes, max_size=4))]
        indexer = AsymmetricHashing(
            books, maybe(st.sampled_from(MEASURES)), maybe(st.sampled_from(LOOKUPS))
        )
    return IndexConfig(
        query_distance=maybe(st.sampled_from(MEASURES)),
        partitioner=partitioner,
        indexer=indexer,
        embedding_type=maybe(st.sampled_from(EMBEDDINGS)),
        embedding_dim=maybe(wholes),
        partition_offsets=np.array(draw(st.lists(wholes, max_size=9)), np.int64),
    )


# ---- the configuration -------------------------------------------------------------------------


DUMMY = "0a07 1a05 15 0000003f 1002 1804 2202 0002"
VISION = "0a02 0800 1001 188008 2201 00"


def plain(offsets, **fields):
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(IndexConfig))
    return IndexConfig(**{**nothing, "partition_offsets": np.array(offsets, np.int64), **fields})


def test_configurations_of_the_reference_by_hand():
    """A tree without leaves and with half of them searched; floats by an explicit default."""
    leaves = np.zeros((0, 0), np.float32)
    dummy = plain(
        [0, 2], partitioner=Partitioner(leaves, 0.5), embedding_type="uint8", embedding_dim=4
    )
    vision = plain([0], query_distance="squared_l2", embedding_type="float", embedding_dim=1024)
    for text, config in ((DUMMY, dummy), (VISION, vision)):
        raw = bytes.fromhex(text)
        assert same(read(raw), config)
        assert to_wire(config) == encoded(config) == raw


def test_a_configuration_by_hand():
    """A tree and codes: every field that there is."""
    config = IndexConfig(
        query_distance="dot_product",
        partitioner=Partitioner(np.float32([[1], [-2]]), 0.25, "unspecified"),
        indexer=AsymmetricHashing([np.float32([[0.5, 1]])], "squared_l2", "int8"),
        embedding_type="uint8",
        embedding_dim=300,
        partition_offsets=np.array([0, 200]),
    )
    raw = """
    0a 31                                               # scann_config
       08 01                                            #   query_distance: dot product
       12 14                                            #   indexer
          0a 12                                         #     asymmetric_hashing
             0a 0c 0a 0a 0a 08 00 00 00 3f 00 00 80 3f  #       subspace, entry, 0.5 and 1
             10 00  18 02                               #       squared L2, INT8
       1a 17                                            #   partitioner
          0a 06 0a 04 00 00 80 3f                       #     leaf: 1
          0a 06 0a 04 00 00 00 c0                       #     leaf: -2
          15 00 00 80 3e                                #     search_fraction: 0.25
          18 02                                         #     query_distance: unspecified
    10 02  18 ac 02                                     # UINT8 rows of 300 bytes
    22 03 00 c8 01                                      # offsets 0 and 200
    """
    raw = bytes.fromhex(re.sub("#.*", "", raw))
    assert to_wire(config) == encoded(config) == raw
    assert same(read(raw), config)


@modest
@given(configs())
@example(plain([]))
@example(plain([], partitioner=Partitioner(np.zeros((0, 0), np.float32))))
@example(plain([], indexer=AsymmetricHashing([])))
def test_what_is_written_is_read(config):
    """Everything, and what is not said apart from what is said to be the default."""
    raw = to_wire(config)
    assert raw == encoded(config)
    assert same(read(raw), config)


STYLES = ("packed", "single", "runs", "mixed", "spare")


@modest
@given(configs(), st.sampled_from([*STYLES, None]), st.booleans(), seeds)
def test_other_ways_to_write_the_same_are_read(config, style, strange, seed):
    """Floats unpacked, in several runs, all alike or each otherwise; fields that nobody knows."""
    rng = np.random.default_rng(seed)

    def unknown():
        strange_ones = (b"", whole(99, 7), inside(15, b"?"), b"\x7d1234", b"\x79" + bytes(8))
        return strange_ones[rng.integers(5)] if strange else b""

    raw = encoded(config, lambda: style or STYLES[rng.integers(5)], unknown)
    assert same(read(raw), config)
    config = read(raw)
    assert to_wire(config) == encoded(config)


def test_parts_of_a_message_that_come_apart_are_one():
    """What comes again is added to what repeats, and replaces what does not."""
    config = plain(
        [0, 1],
        query_distance="dot_product",
        partitioner=Partitioner(np.float32([[1, 2], [3, 4]]), 0.5, "squared_l2"),
    )
    raw = b"".join(
        [
            whole(4, 0),  # an offset that is not packed
            inside(1, whole(1, 0) + inside(3, inside(1, packed([1, 2])) + whole(3, 1))),
            inside(1, whole(1, 1) + inside(3, inside(1, packed([3, 4])) + whole(3, 0))),
            inside(4, b"\1"),
            inside(1, inside(3, b"\x15" + struct.pack("<f", 0.5))),
        ]
    )
    assert same(read(raw), config)


def test_numbers_of_enums_that_nobody_knows_say_nothing():
    raw = inside(1, whole(1, 3) + inside(2, inside(1, whole(2, 9) + whole(3, 4)))) + whole(2, 7)
    assert same(read(raw), plain([], indexer=AsymmetricHashing([])))


@pytest.mark.parametrize(
    ("part", "expected", "found"),
    [
        ("leaves", "leaves of one length", "1 and 3 dimensions"),
        ("entries", "entries of one length in subspace 1", "1 and 3 dimensions"),
        ("none", "codebook entries in subspace 1", "none"),
    ],
)
def test_vectors_of_different_lengths_are_refused(part, expected, found):
    rows = b"".join(inside(1, packed(row)) for row in ([1, 2], [1], [1, 2, 3], [1, 2]))
    raw = inside(1, inside(3, rows))
    if part != "leaves":
        rows = b"" if part == "none" else rows
        raw = inside(1, inside(2, inside(1, inside(1, inside(1, packed([1]))) + inside(1, rows))))
    said = f"x.ldb: INDEX_CONFIG at byte 100: expected {expected}, found {found}."
    with pytest.raises(IndexFileError, match=f"^{re.escape(said)}$"):
        read(raw)


# ---- hostile configurations --------------------------------------------------------------------


@functools.cache
def _official():
    """The messages as the protobuf library reads them, all of them messages, with no way around."""
    file = descriptor_pb2.FileDescriptorProto(name="test.proto", package="test", syntax="proto2")
    kinds = {"m": 11, "u": 13, "f": 2, "e": 5}
    schema = {
        "Vector": [("values", 1, "f", True, None)],
        "Subspace": [("entry", 1, "m", True, "Vector")],
        "Hashing": [
            ("subspace", 1, "m", True, "Subspace"),
            ("query_distance", 2, "e", False, None),
            ("lookup_type", 3, "e", False, None),
        ],
        "Indexer": [("hashing", 1, "m", False, "Hashing")],
        "Tree": [
            ("leaf", 1, "m", True, "Vector"),
            ("search_fraction", 2, "f", False, None),
            ("query_distance", 3, "e", False, None),
        ],
        "Scann": [
            ("query_distance", 1, "e", False, None),
            ("indexer", 2, "m", False, "Indexer"),
            ("partitioner", 3, "m", False, "Tree"),
        ],
        "Config": [
            ("scann", 1, "m", False, "Scann"),
            ("embedding_type", 2, "e", False, None),
            ("embedding_dim", 3, "u", False, None),
            ("offsets", 4, "u", True, None),
        ],
    }
    for name, fields in schema.items():
        described = file.message_type.add(name=name)
        for label, number, kind, repeated, of in fields:
            field = described.field.add(
                name=label, number=number, type=kinds[kind], label=3 if repeated else 1
            )
            if of:
                field.type_name = f".test.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.Config"))


def _vectors(messages):
    """Vectors as an array, or None where they are not of one length."""
    rows = [np.array(vector.values, np.float32) for vector in messages]
    return np.stack(rows) if len({len(row) for row in rows}) == 1 else None


def _said_officially(raw):
    """Leaves, codebooks, dimensions and offsets as the library says; None where it refuses."""
    try:
        config = _official().FromString(raw)
    except message.DecodeError:
        return None
    tree, hashing = config.scann.partitioner, config.scann.indexer.hashing
    leaves: Any = _vectors(tree.leaf) if tree.leaf else np.zeros((0, 0), np.float32)
    books = [_vectors(subspace.entry) for subspace in hashing.subspace]
    if leaves is None or any(book is None for book in books):
        return None
    return [leaves, *books], config.embedding_dim, list(config.offsets)


SAMPLE = IndexConfig(
    query_distance="dot_product",
    partitioner=Partitioner(np.float32([[1, 2, 3], [4, 5, 6]]), 0.5, "squared_l2"),
    indexer=AsymmetricHashing(
        [np.float32([[1, 2], [3, 4]]), np.float32([[5], [6]])], "dot_product", "int8"
    ),
    embedding_type="uint8",
    embedding_dim=2,
    partition_offsets=np.array([0, 5]),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete"]), st.integers(0, 200), st.integers(0, 255)
    ),
    min_size=1,
    max_size=4,
)


def altered(raw, changes):
    out = bytearray(raw)
    for what, place, byte in changes:
        at = place % max(len(out), 1)
        if what == "insert" or not out:
            out.insert(at, byte)
        elif what == "delete":
            del out[at]
        else:
            out[at] = byte
    return bytes(out)


def assert_as_the_library(raw):
    """The same arrays and numbers, or refused."""
    official = _said_officially(raw)
    try:
        config = read(raw)
    except IndexFileError:
        assert official is None
        return
    assert official is not None
    arrays, embedding_dim, offsets = official
    leaves = config.partitioner.leaves if config.partitioner else np.zeros((0, 0), np.float32)
    books = config.indexer.codebooks if config.indexer else []
    for one, other in zip([leaves, *books], arrays, strict=True):
        assert same_bits(one, other)
    assert (config.embedding_dim or 0) == embedding_dim
    assert config.partition_offsets.tolist() == offsets


@settings(deadline=None, max_examples=500)
@given(CHANGES, st.sampled_from(STYLES))
def test_messages_are_read_as_the_library_reads_them(changes, style):
    """Also on the short way, by which vectors written alike are read all at once."""
    assert_as_the_library(altered(encoded(SAMPLE, lambda: style), changes))


def test_every_byte_of_a_message_is_read_as_the_library_reads_it():
    """Tags of other fields and of other types, and lengths around those that are right."""
    raw = encoded(SAMPLE)
    for place in range(len(raw)):
        for byte in (*range(30), 0x7F, 0x80, 0x81, 0xFF):
            for what in ("set", "insert"):
                assert_as_the_library(altered(raw, [(what, place, byte)]))


def test_configurations_cut_anywhere_are_refused():
    """A message that ends early is wrong or says less: either way no index is made of it."""
    made = phone(dims=(2, 1), c=3, sizes=(2, 1), ranked_by="dot_product", fraction=0.5)
    raw = to_wire(made.config)
    for size in range(len(raw)):
        with pytest.raises(IndexFileError, match=r"^x\.ldb: .* at byte \d+: expected .*, found .*"):
            index_file.read(Span("x.ldb", memoryview(table_of(made, raw[:size]))))
    assert len(index_file.read(Span("x.ldb", memoryview(table_of(made, raw)))).metadata) == 3


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=60))
@example(b"\x0a" * 60)
@example(b"\x0a\xff\xff\xff\xff\x0f")
@example(b"\x0b" * 60)
@example(b"\x0a\x04\x1a\x02\x0a\x00")
@example(b"\x0a\x06\x12\x04\x0a\x02\x0a\x00")
def test_random_bytes_are_refused_or_say_little(data):
    try:
        config = read(data)
    except IndexFileError as error:
        assert str(error).startswith("x.ldb: INDEX_CONFIG at byte 100: expected ")  # noqa: PT017
        return
    assert isinstance(config, IndexConfig)


# ---- whole files -------------------------------------------------------------------------------


def table_of(made, config=None, *, compression=False):
    """The bytes of a file, of its own or another configuration."""
    file = io.BytesIO()
    items = {f"E_{i}".encode(): part.tobytes() for i, part in enumerate(made.parts)}
    items |= {f"M_{i}".encode(): b"row %d" % i for i in range(made.n)}
    items |= {b"INDEX_CONFIG": config or to_wire(made.config), b"USER_INFO": b"user info"}
    if config is not None:
        items[b"INDEX_CONFIG"] = config
    sstable.write(file, sorted(items.items()), compression=compression)
    return file.getvalue()


SMALL = {
    "codes": phone(dims=(1, 2), c=4, sizes=(3, 2), ranked_by="dot_product", fraction=0.5),
    "floats": phone(lookup=None, dims=(2,), sizes=(4,), measure="squared_l2"),
}
ZEROS = phone(lookup="int16", dims=(2, 2), c=9, sizes=(40, 0, 9), ranked_by="squared_l2")


@pytest.mark.parametrize("kind", SMALL)
@BOTH
def test_every_truncation_and_flipped_bit_is_noticed(kind, compression, tmp_path):
    """By the checksums: damage is never answered from."""
    path, made = tmp_path / "small.ldb", SMALL[kind]
    raw = table_of(made, compression=compression)
    path.write_bytes(raw)
    assert len(Index.load(path)) == made.n
    wrong = [raw[:size] for size in range(len(raw))]
    for bit in range(8 * len(raw)):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        wrong.append(bytes(damaged))
    start = re.escape(str(path))
    for data in (*wrong, raw + b"\0", b"\0" + raw):
        path.write_bytes(data)
        with pytest.raises(IndexFileError, match=rf"^{start}: "):
            Index.load(path)


def resealed(raw, handle):
    """A file with the checksum of one block made right."""
    end = handle.offset + handle.size + 1
    crc = google_crc32c.value(bytes(raw[handle.offset : end]))
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return raw[:end] + struct.pack("<I", masked) + raw[end + 4 :]


def handles_of(raw):
    """Where the blocks are: of data, the metaindex and the index."""
    span = Span("x", memoryview(raw))
    return [*sstable.Table.open(span)._handles, *sstable._read_footer(span)]


@functools.cache
def sealed_files():
    files = [table_of(made, compression=both) for made in SMALL.values() for both in (False, True)]
    files += [table_of(ZEROS), table_of(ZEROS, compression=True)]
    return [(raw, handles_of(raw)) for raw in files]


def answer_or_refuse(path):
    """Whatever a file says, it is refused, or all that can be asked of it ends well."""
    try:
        index = Index.load(path)
    except IndexFileError as error:
        assert str(path) in str(error)  # noqa: PT017
        return False
    rng = np.random.default_rng(0)
    for q in (np.zeros(index.dimensions), 1e6 * rng.standard_normal(index.dimensions)):
        found = index.search(q.astype(np.float32), len(index) + 2)
        assert found.ids.max() < len(index)
        index.search(q[None], 2)
    try:
        assert len(list(index.metadata)) == len(index)
        index.save(path.with_name("again.ldb"))
        index.save(path.with_name("again.npz"))
    except IndexFileError as error:
        assert str(path) in str(error)  # noqa: PT017
        return True
    Index.load(path.with_name("again.npz"))
    return True


@settings(deadline=None, max_examples=600)
@given(st.data())
def test_changed_bytes_under_right_checksums_are_refused_or_harmless(tmp_path_factory, data):
    """Somebody who can compute a checksum cannot make a search read what is not the index's."""
    path = tmp_path_factory.getbasetemp() / "hostile.ldb"
    raw, handles = data.draw(st.sampled_from(sealed_files()))
    handle = data.draw(st.sampled_from(handles))
    damaged = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        place = handle.offset + data.draw(st.integers(0, handle.size))  # the type as well
        damaged[place] = data.draw(st.integers(0, 255))
    path.write_bytes(resealed(bytes(damaged), handle))
    answer_or_refuse(path)


def test_each_byte_changed_under_right_checksums_is_refused_or_harmless(tmp_path):
    path, loaded = tmp_path / "hostile.ldb", 0
    rng = np.random.default_rng(0)
    for raw, handles in sealed_files()[:4]:
        for handle in handles:
            for place in range(handle.offset, handle.offset + handle.size + 1):
                for change in (128, int(rng.integers(1, 256))):
                    damaged = bytearray(raw)
                    damaged[place] ^= change
                    path.write_bytes(resealed(bytes(damaged), handle))
                    loaded += answer_or_refuse(path)
    assert loaded > 100  # a float or the text of a row may well be another


@settings(deadline=None, max_examples=300)
@given(CHANGES, st.sampled_from([*SMALL, "zeros"]))
def test_changed_configurations_are_refused_or_harmless(tmp_path_factory, changes, kind):
    made = ZEROS if kind == "zeros" else SMALL[kind]
    path = tmp_path_factory.getbasetemp() / "configuration.ldb"
    path.write_bytes(table_of(made, altered(to_wire(made.config), changes)))
    answer_or_refuse(path)


def test_the_largest_numbers_that_are_believed(tmp_path):
    """Squares and their sums may leave float32: nothing is warned of, nothing read astray."""
    path = tmp_path / "large.ldb"
    for measure in ("dot_product", "squared_l2"):
        for lookup in ("int8", "int16", "float", None):
            made = phone(
                lookup=lookup,
                dims=(1500, 1500),
                c=2,
                sizes=(70, 3),
                ranked_by=measure,
                fraction=0.5,
            )
            for array in (*made.codebooks, made.leaves):
                array[...] = np.where(array > 0, 3.9e17, -3.9e17)
            if lookup is None:
                for part in made.parts:
                    part[...] = np.where(part > 0, 1e17, -1e17)
            path.write_bytes(table_of(dataclasses.replace(made, measure=measure)))
            assert answer_or_refuse(path)
            index = Index.load(path)
            for q in (np.full(3000, 1e17, np.float32), np.zeros(3000, np.float32)):
                for p in (1, 2):
                    ids = index.search(q, 80, leaves_to_search=p).ids
                    found = ids[ids >= 0]
                    assert len(set(found.tolist())) == len(found)
                    assert found.max(initial=0) < 73
