"""The index inside a model: found where it is, attached where a phone looks, and nothing else."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scannlite.errors import IndexFileError, InvalidInput, MissingExtra, ScannliteError
from scannlite.files import flatbuffer
from scannlite.files.model_file import (
    INDEX_NAME,
    associated_files,
    attach_index,
    find_index,
    is_model,
)
from scannlite.files.span import Span

flatbuffers = pytest.importorskip("flatbuffers", reason="models are built with flatbuffers")

SHARED = Path(__file__).resolve().parents[3] / "shared"
UPSTREAM = SHARED / "golden" / "upstream"
SEARCHERS = SHARED / "golden" / "searcher_models"

INDEX = b"the bytes of an index"
OTHER = b"another index, which is a little longer"
VOCABULARY = b"<PAD> 0\n<UNKNOWN> 1\n"
WEIGHTS = bytes(range(48))
DESCRIPTION = b"On-device Scann Index file with LevelDB format."

shared = pytest.mark.skipif(not UPSTREAM.is_dir(), reason=f"no golden files in {SHARED}")


# ---- models made here, by the library alone ----------------------------------------------------


class Maker:
    """Flatbuffers by slot numbers: offsets are plain, scalars a pair of value and bytes."""

    def __init__(self) -> None:
        self.builder = flatbuffers.Builder(0)

    def table(self, slots: dict[int, int | tuple[int, int]]) -> int:
        self.builder.StartObject(max(slots, default=-1) + 1)
        for slot, value in slots.items():
            if isinstance(value, tuple):
                number, size = value
                {
                    1: self.builder.PrependUint8Slot,
                    4: self.builder.PrependUint32Slot,
                    8: self.builder.PrependUint64Slot,
                }[size](slot, number, 0)
            else:
                self.builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        return self.builder.EndObject()

    def vector(self, children: Sequence[int]) -> int:
        self.builder.StartVector(4, len(children), 4)
        for child in reversed(children):
            self.builder.PrependUOffsetTRelative(child)
        return self.builder.EndVector()

    def numbers(self, values: Sequence[int]) -> int:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependInt32(value)
        return self.builder.EndVector()

    def string(self, text: str | bytes) -> int:
        return self.builder.CreateString(text)

    def data(self, content: bytes) -> int:
        self.builder.Prep(16, len(content))
        return self.builder.CreateByteVector(content)

    def finish(self, root: int, identifier: bytes) -> bytes:
        self.builder.Finish(root, identifier)
        return bytes(self.builder.Output())


def metadata(
    index: str | bytes | None = None,
    *,
    outputs: int = 1,
    on: int = 0,
    version: str | None = None,
    units: bool = False,
    subgraphs: int = 1,
    identifier: bytes = b"M001",
    extra: int | None = None,
    type_: int = 6,
) -> bytes:
    """Metadata with a vocabulary, and with an index where a name is given."""
    make = Maker()
    vocabulary = make.table({0: make.string("vocab.txt"), 2: (5, 1)})
    files = [vocabulary]
    if index is not None:
        files.append(make.table({0: make.string(index), 2: (type_, 1)}))
    tensors = []
    for at in range(outputs):
        slots = {0: make.string(f"out{at}"), 1: make.string("an output")}
        if at == on:
            slots[6] = make.vector(files)
        if extra == 6 + at:
            slots[9] = make.string("of the future")
        tensors.append(make.table(slots))
    slots = {0: make.string("main"), 2: make.vector([make.table({0: make.string("in")})])}
    if outputs:
        slots[3] = make.vector(tensors)
    if units:
        slots[5] = make.vector([make.table({0: (3, 1)})])
    if extra == 10:
        slots[10] = make.string("of the future")
    graphs = [make.table(slots) for _ in range(subgraphs)]
    slots = {0: make.string("tiny"), 4: make.string("us")}
    if subgraphs:
        slots[3] = make.vector(graphs)
    if version is not None:
        slots[7] = make.string(version)
    if extra == 8:
        slots[8] = make.string("of the future")
    return make.finish(make.table(slots), identifier)


def flat_model(
    meta: bytes | None = None,
    *,
    inputs: int = 1,
    outputs: int = 1,
    entries: int = 1,
    slot: int = 2,
    outside: int = 0,
    large: int = 0,
    extra: bool = False,
    bare: bool = False,
) -> bytes:
    """A model of one buffer of weights, and of another with metadata where they are given."""
    make = Maker()
    operator = make.table({0: (0, 4), 9: (large, 8)})
    subgraph = make.table(
        {
            1: make.numbers(range(inputs)),
            2: make.numbers(range(outputs)),
            3: make.vector([operator]),
            4: make.string("main"),
        }
    )
    buffers = [make.table({}), make.table({0: make.data(WEIGHTS)})]
    slots = {0: (3, 4), 3: make.string("a model"), 7: make.vector([])}
    if meta is not None:
        field: dict[int, int | tuple[int, int]] = {0: make.data(meta)} if not outside else {}
        buffers.append(make.table({**field, 1: (outside, 8), 2: (len(meta), 8)}))
        names = ["min_runtime_version"] + ["TFLITE_METADATA"] * entries
        rows = [make.table({0: make.string(name), 1: (slot, 4)}) for name in names]
        slots[6] = make.vector(rows)
    if not bare:
        slots[2] = make.vector([subgraph])
        slots[4] = make.vector(buffers)
    if extra:
        slots[10] = make.string("of the future")
    return make.finish(make.table(slots), b"TFL3")


def zipped(flat: bytes, files: dict[str, bytes]) -> bytes:
    """A model with files behind it, as ``zipfile`` appends them."""
    out = io.BytesIO(flat)
    with zipfile.ZipFile(out, "a") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


FLAT = flat_model(metadata("index.ldb"))
PLAIN = flat_model(metadata())
SEARCHER = zipped(FLAT, {"vocab.txt": VOCABULARY, "index.ldb": INDEX})
EMBEDDER = zipped(PLAIN, {"vocab.txt": VOCABULARY})
BARE = flat_model()


def span(data: bytes) -> Span:
    return Span("tiny.tflite", memoryview(data))


def found(data: bytes) -> bytes | None:
    index = find_index(span(data))
    return None if index is None else bytes(index.data)


def attached(data: bytes, index: bytes = INDEX, **options: str) -> bytes:
    out = io.BytesIO()
    attach_index(span(data), index, out, **options)
    return out.getvalue()


def files(data: bytes) -> dict[str, bytes]:
    return {name: bytes(content.data) for name, content in associated_files(span(data)).items()}


# ---- models read by the library alone ----------------------------------------------------------


class Row:
    """A table of a good flatbuffer."""

    def __init__(self, data: bytes, at: int | None = None) -> None:
        start = struct.unpack_from("<I", data)[0] if at is None else at
        self.data = data
        self.table = flatbuffers.table.Table(data, start)

    def has(self, slot: int) -> bool:
        return self.table.Offset(4 + 2 * slot) != 0

    def at(self, slot: int) -> int:
        return self.table.Pos + self.table.Offset(4 + 2 * slot)

    def text(self, slot: int) -> bytes | None:
        return self.table.String(self.at(slot)) if self.has(slot) else None

    def number(self, slot: int, size: int = 4) -> int:
        return int.from_bytes(self.data[self.at(slot) :][:size], "little") if self.has(slot) else 0

    def rows(self, slot: int) -> list[Row]:
        if not self.has(slot):
            return []
        field = self.table.Offset(4 + 2 * slot)
        start = self.table.Vector(field)
        places = range(start, start + 4 * self.table.VectorLen(field), 4)
        return [Row(self.data, self.table.Indirect(at)) for at in places]

    def content(self, slot: int) -> tuple[int, bytes]:
        field = self.table.Offset(4 + 2 * slot)
        start = self.table.Vector(field)
        return start, self.data[start : start + self.table.VectorLen(field)]


def metadata_of(data: bytes) -> Row:
    model = Row(data)
    (slot,) = (e.number(1) for e in model.rows(6) if e.text(0) == b"TFLITE_METADATA")
    start, content = model.rows(4)[slot].content(0)
    assert start % 16 == 0
    assert content[4:8] == b"M001"
    return Row(content)


def named(data: bytes) -> list[list[tuple[bytes | None, int]]]:
    """The associated files of each output tensor: names and types."""
    outputs = metadata_of(data).rows(3)[0].rows(3)
    return [[(file.text(0), file.number(2, 1)) for file in tensor.rows(6)] for tensor in outputs]


# ---- finding -----------------------------------------------------------------------------------


def test_the_index_of_a_searcher_is_found() -> None:
    """The bytes are those of the zip member, and their place is that in the file."""
    index = find_index(span(SEARCHER))
    assert index is not None
    assert bytes(index.data) == INDEX
    assert SEARCHER[index.start :].startswith(INDEX)


@pytest.mark.parametrize(
    "data",
    [EMBEDDER, PLAIN, BARE, flat_model(metadata("x", type_=5)), flat_model(metadata(subgraphs=0))],
    ids=["vocabulary only", "no zip", "no metadata", "another type", "no subgraph metadata"],
)
def test_models_without_an_index_have_none(data: bytes) -> None:
    """That is no error: they are embedders."""
    assert found(data) is None


def test_the_first_index_of_any_output_counts() -> None:
    """As in Universal Sentence Encoders, whose index is at the second output."""
    data = zipped(flat_model(metadata("i", outputs=2, on=1), outputs=2), {"i": INDEX})
    assert found(data) == INDEX


def test_associated_files_come_in_order() -> None:
    """Names to contents, index included; a model without a zip has none."""
    assert list(files(SEARCHER).items()) == [("vocab.txt", VOCABULARY), ("index.ldb", INDEX)]
    assert files(BARE) == {}


def test_models_are_known_by_their_head() -> None:
    """Eight bytes tell, whatever comes before the identifier."""
    assert is_model(BARE[:8])
    assert not is_model(b"TFL3")
    assert not is_model(b"PK\x03\x04TFL2")
    for read in (find_index, associated_files):
        with pytest.raises(IndexFileError, match=r"tiny.tflite: file at byte 0: expected a Tensor"):
            read(span(b"PK\x03\x04, a zip"))


def test_finding_and_replacing_need_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a first index needs flatbuffers, and says so."""

    def missing(module: str, extra: str, purpose: str) -> None:
        raise MissingExtra(f"{purpose} needs {module} of {extra}.")

    monkeypatch.setattr(flatbuffer, "imported", missing)
    assert found(attached(SEARCHER, OTHER)) == OTHER
    with pytest.raises(MissingExtra, match="attaching an index"):
        attached(EMBEDDER)


# ---- attaching ---------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [EMBEDDER, PLAIN, BARE], ids=["embedder", "no zip", "bare"])
def test_attached_is_found(data: bytes) -> None:
    """By this reader, by ``zipfile`` and by the library of flatbuffers."""
    new = attached(data)
    assert found(new) == INDEX
    assert named(new)[0][-1] == (INDEX_NAME.encode(), 6)
    assert metadata_of(new).rows(3)[0].rows(3)[0].rows(6)[-1].text(1) == DESCRIPTION
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        assert archive.testzip() is None
        assert archive.read(INDEX_NAME) == INDEX
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert all(new[info.header_offset :].startswith(b"PK") for info in archive.infolist())


@pytest.mark.parametrize("data", [EMBEDDER, BARE], ids=["embedder", "bare"])
def test_the_old_model_lies_untouched_in_the_new(data: bytes) -> None:
    """All of it, at a multiple of 64 bytes further on, so that weights stay where they align."""
    flat = data[: data.find(b"PK\x03\x04")] if b"PK\x03\x04" in data else data
    new = attached(data)
    assert new.find(flat) % 64 == 0
    weights, content = Row(new).rows(4)[1].content(0)
    assert content == WEIGHTS
    assert weights % 16 == 0


def test_everything_else_is_kept() -> None:
    """Of the model, of the metadata, and of the files."""
    new = Row(attached(EMBEDDER))
    assert new.number(0) == 3
    assert new.text(3) == b"a model"
    assert new.has(7)
    assert len(new.rows(4)) == 3
    assert [row.text(4) for row in new.rows(2)] == [b"main"]
    assert [row.text(0) for row in new.rows(6)] == [b"min_runtime_version", b"TFLITE_METADATA"]
    meta = metadata_of(attached(EMBEDDER))
    assert (meta.text(0), meta.text(4)) == (b"tiny", b"us")
    (graph,) = meta.rows(3)
    assert graph.text(0) == b"main"
    assert [row.text(0) for row in graph.rows(2)] == [b"in"]
    (output,) = graph.rows(3)
    assert (output.text(0), output.text(1)) == (b"out0", b"an output")
    assert named(attached(EMBEDDER)) == [[(b"vocab.txt", 5), (INDEX_NAME.encode(), 6)]]
    assert list(files(attached(EMBEDDER)).items()) == [
        ("vocab.txt", VOCABULARY),
        (INDEX_NAME, INDEX),
    ]


def test_replacing_changes_only_the_zip() -> None:
    """The index keeps its name and place, and a name asked for does not count."""
    new = attached(SEARCHER, OTHER, name="vocab.txt")
    assert new.startswith(FLAT + b"PK\x03\x04")
    assert list(files(new).items()) == [("vocab.txt", VOCABULARY), ("index.ldb", OTHER)]
    assert attached(new, INDEX) == attached(SEARCHER, INDEX)
    assert attached(attached(EMBEDDER, OTHER)) == attached(EMBEDDER)


def test_an_index_that_is_named_but_lost_is_put_back() -> None:
    """Finding it is an error, attaching is the cure."""
    lost = zipped(FLAT, {"vocab.txt": VOCABULARY})
    with pytest.raises(IndexFileError, match=r"the zip to hold 'index.ldb', found \['vocab.txt'\]"):
        found(lost)
    assert found(attached(lost)) == INDEX


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=60).filter(str.isprintable), st.binary(max_size=200))
def test_any_name_and_content(name: str, index: bytes) -> None:
    """Whatever can be printed may be a name, in UTF-8 for everybody."""
    new = attached(BARE, index, name=name)
    assert found(new) == index
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        assert [info.orig_filename for info in archive.infolist()] == [name]


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 256, "ü" * 128, "\ud800", "vocab.txt"])
def test_unusable_names_are_refused(name: str) -> None:
    """Also that of another file, which would be lost."""
    with pytest.raises(InvalidInput, match="name must be"):
        attached(EMBEDDER, name=name)


@pytest.mark.parametrize(
    ("inputs", "outputs", "units", "chosen"),
    [(1, 1, False, 0), (1, 2, False, 0), (3, 2, False, 1), (3, 2, True, 0), (2, 2, False, 0)],
)
@pytest.mark.parametrize("described", [0, 1, 2])
def test_the_output_is_that_of_model_maker(
    inputs: int, outputs: int, units: bool, chosen: int, described: int
) -> None:
    """The second of Universal Sentence Encoders; missing metadata are filled up with blanks."""
    meta = metadata(outputs=described, units=units) if described or units else None
    new = attached(flat_model(meta, inputs=inputs, outputs=outputs))
    tensors = named(new)
    assert len(tensors) == max(outputs, described)
    assert [at for at, rows in enumerate(tensors) if (INDEX_NAME.encode(), 6) in rows] == [chosen]
    (graph,) = metadata_of(new).rows(3)
    assert len(graph.rows(2)) == (inputs if meta is None else 1)
    # Without a name, even an empty one, the Task Library crashes over three inputs.
    assert all(row.text(0) is not None for row in graph.rows(2) + graph.rows(3))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, b"1.4.0"),
        ("1.2.1", b"1.4.0"),
        ("1.4", b"1.4.0"),
        ("1.4.0", b"1.4.0"),
        ("1.10.0", b"1.10.0"),
        ("2", b"2"),
        ("new.est", b"1.4.0"),
        ("", b"1.4.0"),
        ("9" * 300, b"1.4.0"),
    ],
)
def test_the_parser_version_is_at_least_that_of_the_index(old: str | None, new: bytes) -> None:
    """Compared as numbers; what is no version is replaced."""
    assert metadata_of(attached(flat_model(metadata(version=old)))).text(7) == new


def test_metadata_without_subgraphs_get_one() -> None:
    """And further subgraphs stay."""
    assert named(attached(flat_model(metadata(subgraphs=0))))[0] == [(INDEX_NAME.encode(), 6)]
    new = metadata_of(attached(flat_model(metadata(subgraphs=3))))
    assert [len(graph.rows(3)[0].rows(6)) for graph in new.rows(3)] == [2, 1, 1]


def test_the_same_input_gives_the_same_bytes() -> None:
    """Nothing of the day or the machine; and copies of copies do not grow."""
    assert attached(EMBEDDER) == attached(EMBEDDER)
    assert attached(attached(EMBEDDER)) == attached(EMBEDDER)
    new = attached(zipped(PLAIN, {"größe/": b"", "größe/a": b"1"}))
    assert list(files(new)) == ["größe/", "größe/a", INDEX_NAME]


def test_a_large_index_is_not_copied(tmp_path: Path) -> None:
    """It goes to the file as it is."""
    index = bytes(8 << 20)
    with (tmp_path / "new.tflite").open("wb") as out:
        tracemalloc.start()
        try:
            attach_index(span(EMBEDDER), memoryview(index), out)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 1 << 20
    assert found((tmp_path / "new.tflite").read_bytes()) == index


# ---- what is refused ---------------------------------------------------------------------------

FUTURE = "fields known to scannlite, found more"
LIMITED = [
    (flat_model(metadata(), extra=True), rf"model at byte \d+: expected the 10 {FUTURE}"),
    (flat_model(metadata(extra=8)), f"model metadata at byte .* the 8 {FUTURE}"),
    (flat_model(metadata(extra=10)), f"subgraph metadata at byte .* the 10 {FUTURE}"),
    (flat_model(metadata(extra=6)), f"tensor metadata at byte .* the 7 {FUTURE}"),
    (flat_model(large=2), "large_custom_options_offset .* over 2 GB, found the file offset 2"),
    (flat_model(inputs=3), "outputs at byte .*: expected at least 2 for 3 inputs, found 1"),
    (flat_model(outputs=0), "outputs at byte .*: expected at least 1 for 1 inputs, found 0"),
    (flat_model(bare=True), "subgraphs at byte .*: expected at least one, found none"),
]
BROKEN = [
    (flat_model(metadata(), outside=2), "buffer's offset .* over 2 GB, found the file offset 2"),
    (flat_model(metadata(), outside=1), "buffer's data .* the model's metadata, found nothing"),
    (flat_model(metadata(), entries=2), "TFLITE_METADATA' once, found it twice"),
    (flat_model(metadata(), slot=3), "metadata at byte .*: expected a buffer below 3, found 3"),
    (flat_model(metadata(), slot=0), "buffer's data .* the model's metadata, found nothing"),
    (flat_model(metadata(identifier=b"M002")), "the identifier b'M001', found b'M002'"),
    (flat_model(b""), "expected the identifier b'M001', found b''"),
    (flat_model(metadata("")), "a name of 1 to 255 bytes, found 0 bytes"),
    (flat_model(metadata("x" * 256)), "a name of 1 to 255 bytes, found 256 bytes"),
    (flat_model(metadata(b"\xff")), "a name in UTF-8"),
]


@pytest.mark.parametrize(("data", "message"), LIMITED + BROKEN)
def test_what_cannot_be_rewritten_without_loss_is_refused(data: bytes, message: str) -> None:
    """By name, and before a byte is written."""
    out = io.BytesIO()
    with pytest.raises(IndexFileError, match=message):
        attach_index(span(data), INDEX, out)
    assert not out.getvalue()


@pytest.mark.parametrize(("data", "message"), BROKEN)
def test_broken_metadata_are_no_absence(data: bytes, message: str) -> None:
    """Finding says what is wrong."""
    with pytest.raises(IndexFileError, match=message):
        found(data)


def test_models_over_two_gigabytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets reach no further."""
    monkeypatch.setattr("scannlite.files.model_file._LARGEST", len(EMBEDDER) + len(INDEX) + 10)
    with pytest.raises(InvalidInput, match="below 2 GB"):
        attached(EMBEDDER)
    with pytest.raises(InvalidInput, match="below 2 GB"):
        attached(EMBEDDER, INDEX * 100)


def test_a_zip_that_is_full_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file would need zip64; replacing an index adds none."""
    monkeypatch.setattr("scannlite.files.model_file.MOST_MEMBERS", 2)
    full = zipped(PLAIN, {"vocab.txt": VOCABULARY, "labels.txt": b"a"})
    with pytest.raises(IndexFileError, match=r"zip at byte .*: expected below 2 files, found 2"):
        attached(full)
    assert found(attached(SEARCHER, OTHER)) == OTHER


def shifted_directory() -> bytes:
    """A zip made on its own and put behind the model: offsets count from its own start."""
    return FLAT + zipped(b"", {"vocab.txt": VOCABULARY, "index.ldb": INDEX})


def with_entry(change: Callable[[bytearray, int], None], data: bytes = SEARCHER) -> bytes:
    """The searcher with its last directory entry changed."""
    new = bytearray(data)
    change(new, new.rfind(b"PK\x01\x02"))
    return bytes(new)


def put(at: int, form: str, value: int) -> Callable[[bytearray, int], None]:
    return lambda data, entry: struct.pack_into(form, data, entry + at, value)


def first_again(data: bytearray, entry: int) -> None:
    """The last entry becomes the first once more, padded to its length."""
    first = data.find(b"PK\x01\x02")
    data[entry : entry + 46] = data[first : first + 46]
    data[entry + 46 : entry + 55] = b"vocab.txt"


def deflated() -> bytes:
    out = io.BytesIO(FLAT)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("index.ldb", INDEX * 9)
    return out.getvalue()


def with_zip64() -> bytes:
    new = bytearray(SEARCHER)
    struct.pack_into("<HH", new, len(new) - 22 + 8, 0xFFFF, 0xFFFF)
    return bytes(new)


def in_parts() -> bytes:
    new = bytearray(SEARCHER)
    struct.pack_into("<H", new, len(new) - 22 + 4, 1)
    return bytes(new)


def missing_entry() -> bytes:
    new = bytearray(SEARCHER)
    struct.pack_into("<HH", new, len(new) - 22 + 8, 1, 1)
    return bytes(new)


def excess_entry() -> bytes:
    new = bytearray(SEARCHER)
    struct.pack_into("<HH", new, len(new) - 22 + 8, 3, 3)
    return bytes(new)


def damaged_content() -> bytes:
    return SEARCHER.replace(INDEX, INDEX.swapcase())


ZIPS = {
    "offsets from the zip": (shifted_directory(), "a directory offset from the start of the file"),
    "deflated": (deflated(), "plain stored bytes, found compressed or encrypted ones"),
    "encrypted": (with_entry(put(8, "<H", 1)), "plain stored bytes"),
    "twice": (with_entry(first_again), "every name once|its end by byte"),
    "of zip64": (with_zip64(), "a zip below 4 GB and 65535 members, found zip64"),
    "a member of zip64": (with_entry(put(24, "<I", 0xFFFFFFFF)), "a member below 4 GB"),
    "in parts": (in_parts(), "a zip in one part, found one in several"),
    "an entry too many": (missing_entry(), "its end at byte"),
    "an entry too few": (excess_entry(), "an entry before byte"),
    "an entry too long": (with_entry(put(32, "<H", 9)), "an entry that fits"),
    "a wrong checksum": (damaged_content(), "content of 'index.ldb' at byte .* the CRC-32"),
    "a member beyond": (with_entry(put(42, "<I", 1 << 30)), "a member before byte"),
    "a member in the model": (with_entry(put(42, "<I", 64)), "the signature"),
    "two checksums": (with_entry(put(16, "<I", 7)), "the CRC-32 and sizes"),
    "no UTF-8": (with_entry(put(46, "<B", 0xFF)), "a name in UTF-8"),
    "two names": (with_entry(put(46, "<B", 0x41)), "the name b'Andex.ldb'"),
    "cut short": (SEARCHER[:-1], "zip at byte .* an end record, found none"),
}


@pytest.mark.parametrize(("data", "message"), ZIPS.values(), ids=ZIPS)
def test_zips_that_the_format_does_not_allow_are_refused(data: bytes, message: str) -> None:
    """Compressed, encrypted, ambiguous, or with offsets of another origin."""
    with pytest.raises(IndexFileError, match=message):
        found(data)
    with pytest.raises(IndexFileError, match=message):
        files(data)


def test_overlapping_members_are_refused() -> None:
    """Bytes belong to one member."""
    inner = zipped(b"", {"index.ldb": INDEX})
    local = inner[: inner.find(b"PK\x01\x02")]
    data = zipped(FLAT, {"vocab.txt": local, "index.ldb": INDEX})
    inside = data.find(local, data.find(b"vocab.txt"))
    with pytest.raises(IndexFileError, match=r"zip member 'vocab.txt' .* its end by byte"):
        found(with_entry(put(42, "<I", inside), data))


class Pipe(io.RawIOBase):
    """A file one cannot go back in, so that ``zipfile`` puts sizes after the data."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += bytes(data)
        return len(data)

    def tell(self) -> int:
        return len(self.data)


def test_other_ordinary_zips_are_read() -> None:
    """With a comment, and with sizes after the data, as streams are written."""
    pipe = Pipe()
    pipe.write(FLAT)
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.comment = b"PK\x05\x06 this is a comment, not an end record, PK\x05\x06"
        archive.writestr(zipfile.ZipInfo("index.ldb"), INDEX)
        assert archive.infolist()[0].flag_bits & 8
    assert found(pipe.data) == INDEX
    assert found(attached(pipe.data, OTHER)) == OTHER


# ---- damage ------------------------------------------------------------------------------------


def harmless(data: bytes) -> bool:
    """Finding gives the index, nothing, or the error for files; so does what attaching writes."""
    try:
        if found(data) not in (INDEX, None):
            return False
    except IndexFileError:
        pass
    with suppress(IndexFileError):
        files(data)
    try:
        new = attached(data, OTHER)
    except ScannliteError:
        return True
    return found(new) == OTHER


def flips(data: bytes, bits: Sequence[int]) -> Iterator[bytes]:
    new = bytearray(data)
    for bit in bits:
        new[bit // 8] ^= 1 << bit % 8
        yield bytes(new)
        new[bit // 8] ^= 1 << bit % 8


@pytest.mark.parametrize("data", [SEARCHER, EMBEDDER, BARE], ids=["searcher", "embedder", "bare"])
def test_truncation_is_harmless(data: bytes) -> None:
    """At every byte; and an index that lost a byte of its zip is never taken for none."""
    for size in range(len(data)):
        assert harmless(data[:size]), size
    if data is SEARCHER:
        for size in range(len(FLAT), len(data)):
            with pytest.raises(IndexFileError):
                found(data[:size])


@pytest.mark.parametrize("data", [SEARCHER, EMBEDDER], ids=["searcher", "embedder"])
def test_flipped_bits_are_harmless(data: bytes) -> None:
    """Every bit of a small model."""
    for bit, new in enumerate(flips(data, range(8 * len(data)))):
        assert harmless(new), bit


def test_random_words_are_harmless() -> None:
    """Offsets and lengths at the edges of their range, anywhere in the model."""
    rng = random.Random(7)  # noqa: S311
    edges = [0, 1, 2, 4, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC, len(FLAT), len(SEARCHER)]
    for _ in range(3000):
        new = bytearray(SEARCHER)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(new) - 4)
            word = rng.choice([rng.choice(edges), rng.randrange(len(new))])
            struct.pack_into("<I", new, at, word)
        assert harmless(bytes(new))


@pytest.mark.parametrize("word", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(BARE) - 3])
def test_wild_root_offsets_are_errors(word: int) -> None:
    """Also those that lead back to the start, or to the last three bytes."""
    with pytest.raises(IndexFileError):
        found(struct.pack("<I", word) + BARE[4:])


def test_a_graph_that_unfolds_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand subgraphs may be one and the same, with a thousand operators: a million visits."""
    monkeypatch.setattr(flatbuffer, "_MOST", 20_000)
    make = Maker()
    operators = make.vector([make.table({0: (1, 4)})] * 1000)
    subgraphs = make.vector([make.table({3: operators})] * 1000)
    buffers = make.vector([make.table({})])
    data = make.finish(make.table({2: subgraphs, 4: buffers}), b"TFL3")
    with pytest.raises(IndexFileError, match=r"operator at byte .*: expected at most 20000 tables"):
        attached(data)


def test_long_vectors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More children than the phone's own verifier visits."""
    monkeypatch.setattr(flatbuffer, "_MOST", 1000)
    with pytest.raises(IndexFileError, match=r"inputs at byte .*: expected at most 1000 elements"):
        attached(flat_model(inputs=1001))


# ---- files by others ---------------------------------------------------------------------------


@shared
def test_the_upstream_searcher() -> None:
    """Its index is the file that was put in, and replacing gives every other byte again."""
    data = (UPSTREAM / "regex_searcher.tflite").read_bytes()
    index = (UPSTREAM / "regex_index.ldb").read_bytes()
    assert found(data) == index
    assert list(files(data)) == ["vocab.txt", "index.ldb"]
    back = attached(attached(data, OTHER), index)
    start = data.find(b"PK\x03\x04")
    assert back[:start] == data[:start]
    assert files(back) == files(data)


@shared
@pytest.mark.parametrize("path", sorted(SEARCHERS.glob("*.tflite")), ids=lambda path: path.stem)
def test_assembled_searchers(path: Path) -> None:
    """Each holds the index file it is named after."""
    name = path.stem.removesuffix("_searcher").removeprefix("regex_plus_")
    assert found(path.read_bytes()) == (SHARED / "golden/index_files" / f"{name}.ldb").read_bytes()


@shared
@pytest.mark.parametrize(
    "path",
    sorted([*UPSTREAM.glob("*_with_metadata.tflite"), *(SHARED / "models").glob("*.tflite")]),
    ids=lambda path: path.stem,
)
def test_real_embedders_become_searchers(path: Path) -> None:
    """With all they had: files, and every buffer but that of the metadata, byte for byte."""
    data = path.read_bytes()
    new = attached(data)
    assert found(new) == INDEX
    assert files(new) == {**files(data), INDEX_NAME: INDEX}
    old_rows, new_rows = Row(data).rows(4), Row(new).rows(4)
    changed = len(new_rows) - len(old_rows)
    for old_row, new_row in zip(old_rows, new_rows, strict=False):
        if old_row.has(0):
            (before, old), (after, content) = old_row.content(0), new_row.content(0)
            changed += old != content
            assert (after - before) % 64 == 0 or (old != content and after % 16 == 0)
    assert changed == 1
