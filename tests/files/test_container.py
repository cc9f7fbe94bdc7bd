"""The file of an index: what goes in comes out, and nothing else ever does."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scannlite.errors import IndexFileError, InvalidInput, InvalidType
from scannlite.files import container

DOC = Path(__file__).parents[2] / "docs" / "container-format.md"
SMALL = {"codes": np.arange(5, dtype=np.uint8), "rows": np.array([[1.5, -2.0]], np.float32)}
HEADER = {"options": {"leaves": 3, "name": "größe"}, "list": [1, 2.5, None, True]}

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.byte_string_dtypes(min_len=1, max_len=9),
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
    )
)
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(
    lambda name: name != "header" and not name.endswith(".npy")
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
HEADERS = st.dictionaries(st.text().filter(lambda key: key not in ("format", "version")), JSON)
LAYOUTS = st.sampled_from(
    [
        lambda array: array,
        np.asfortranarray,
        lambda array: array[..., ::-1] if array.ndim else array,
        lambda array: array[::2] if array.ndim else array,
        lambda array: array.T,
        lambda array: np.broadcast_to(array, (2, *array.shape)),
    ]
)


def equal(a: np.ndarray, b: np.ndarray) -> bool:
    return (
        a.shape == b.shape
        and a.dtype == b.dtype.newbyteorder("<")
        and a.tobytes() == b.astype(b.dtype.newbyteorder("<")).tobytes()
    )


def same(found: tuple[dict, dict], arrays: dict, header: dict) -> bool:
    return (
        list(found[0]) == list(arrays)
        and all(equal(found[0][name], arrays[name]) for name in arrays)
        and found[1] == header
    )


def data_offsets(path: Path) -> dict[str, tuple[int, int]]:
    """Start and end of each member's array data, found without the code under test."""
    spans = {}
    raw = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            names, extras = struct.unpack_from("<2H", raw, info.header_offset + 26)
            start = info.header_offset + 30 + names + extras
            (text,) = struct.unpack_from("<H", raw, start + 8)
            spans[info.filename] = (start + 10 + text, start + info.file_size)
    return spans


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.npz"
    container.write(path, SMALL, HEADER)
    return path


@pytest.fixture
def small_zip64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "small64.npz"
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", 150)
        container.write(path, SMALL, HEADER)
    return path


# ---- what goes in comes out --------------------------------------------------------------------


@settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.dictionaries(NAMES, st.tuples(ARRAYS, LAYOUTS), max_size=4), HEADERS)
@example({}, {})
def test_round_trip_is_identity(tmp_path: Path, given_arrays: dict, header: dict) -> None:
    path = tmp_path / "x.npz"
    arrays = {name: layout(array) for name, (array, layout) in given_arrays.items()}
    container.write(path, arrays, header)
    for verify in (True, False):
        assert same(container.read(path, verify=verify), arrays, header)
    with np.load(path, allow_pickle=False) as loaded:
        assert loaded.files == ["header", *arrays]
        assert all(equal(loaded[name], array) for name, array in arrays.items())
        fields = json.loads(loaded["header"].tobytes())
        assert fields == {"format": "scannlite", "version": 1, **header}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    spans = data_offsets(path).values()
    assert all(start % 64 == 0 for start, _ in spans)
    assert all(path.stat().st_size - end >= 64 for _, end in spans)
    first = path.read_bytes()
    container.write(path, *container.read(path))
    assert path.read_bytes() == first


def test_stored_order_is_c_and_little_endian(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    given_array = np.asfortranarray(np.arange(6, dtype=">i4").reshape(2, 3))
    container.write(path, {"a": given_array}, {})
    start, end = data_offsets(path)["a.npy"]
    assert path.read_bytes()[start:end] == struct.pack("<6i", *range(6))
    (array,) = container.read(path)[0].values()
    assert array.flags.c_contiguous
    assert array.flags.aligned


def test_arrays_larger_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "_CHUNK", 96)
    path = tmp_path / "x.npz"
    array = np.random.default_rng(0).random((3, 50, 7))
    arrays = {"c": array, "f": array.T, "s": array[:, ::3], "b": array.astype(">f8")}
    container.write(path, arrays, {})
    assert same(container.read(path), arrays, {})


def test_arrays_are_read_only_and_share_one_mapping(small: Path) -> None:
    arrays, _ = container.read(small)
    for array in arrays.values():
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
    places = [array.__array_interface__["data"][0] for array in arrays.values()]
    spans = data_offsets(small)
    assert places[1] - places[0] == spans["rows.npy"][0] - spans["codes.npy"][0]
    assert all(place % 64 == 0 for place in places)


@pytest.mark.skipif(os.name != "posix", reason="an open file cannot be removed there")
def test_arrays_outlive_the_file(small: Path) -> None:
    arrays, header = container.read(small)
    small.unlink()
    assert same((arrays, header), SMALL, HEADER)


@pytest.mark.skipif(os.name != "posix", reason="a mapped file cannot be replaced there")
def test_a_file_can_be_replaced_by_its_own_arrays(small: Path) -> None:
    arrays, header = container.read(small)
    container.write(small, {name: array[::-1] for name, array in arrays.items()}, header)
    assert same((arrays, header), SMALL, HEADER)
    assert equal(container.read(small)[0]["codes"], SMALL["codes"][::-1])


def test_writing_and_reading_copy_no_array(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    big = np.zeros((2000, 2000))
    for array in (big, big.T, big[::2, ::2], big.astype(">f8")):
        tracemalloc.start()
        container.write(path, {"a": array}, {})
        loaded = container.read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6_000_000 < array.nbytes
        del loaded


# ---- zip64 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 100, 150, 200, 400, 700])
def test_zip64_members_and_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    path = tmp_path / "x.npz"
    arrays = {**SMALL, "empty": np.zeros((0, 3)), "long": np.arange(90)}
    with monkeypatch.context() as patch:
        patch.setattr(zipfile, "ZIP64_LIMIT", limit)
        container.write(path, arrays, HEADER)
    assert b"PK\x06\x07" in path.read_bytes()[-42:]
    assert same(container.read(path), arrays, HEADER)
    assert all(start % 64 == 0 for start, _ in data_offsets(path).values())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    with np.load(path, allow_pickle=False) as loaded:
        assert all(equal(loaded[name], array) for name, array in arrays.items())


def test_zip64_at_its_real_limit(tmp_path: Path) -> None:
    """A sparse file past 4 GiB: the offsets are real, the bytes are holes."""
    path, last = tmp_path / "x.npz", np.arange(3)
    container.write(path, {"hole": np.zeros(4, np.uint8), "last": last}, {})
    size = 2**32 + 5
    try:
        stretched(path, tmp_path / "y.npz", size)
    except OSError as error:  # pragma: no cover
        pytest.skip(f"no sparse files here: {error}")
    arrays, _ = container.read(tmp_path / "y.npz", verify=False)
    assert arrays["hole"].shape == (size,)
    assert arrays["hole"][-1] == 0
    assert equal(arrays["last"], last)


def stretched(source: Path, target: Path, size: int) -> None:
    """The file of ``source`` with its first array grown to ``size`` zeros, written as a hole."""
    with (
        zipfile.ZipFile(source) as archive,
        target.open("wb") as file,
        zipfile.ZipFile(file, "w") as out,
    ):
        for name in archive.namelist():
            body = archive.read(name)
            big = name == "hole.npy"
            if big:
                head = io.BytesIO()
                np.lib.format.write_array_header_1_0(
                    head, {"descr": "|u1", "fortran_order": False, "shape": (size,)}
                )
                body = head.getvalue()
            info = aligned_info(name, file.tell(), body, zip64=big)
            with out.open(info, "w", force_zip64=big) as member:
                member.write(body)
                if big:  # what zipfile would do for zeros, without writing them
                    file.seek(size, os.SEEK_CUR)
                    member._file_size += size


# ---- all or nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["pathlib.Path.replace", "os.fsync", "os.chmod"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()])
def test_a_failed_write_changes_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, broken: str, error: BaseException
) -> None:
    before = small.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(broken, fail)
        with pytest.raises(type(error)):
            container.write(small, {"a": np.arange(4)}, {})
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


def test_an_array_that_cannot_be_read_changes_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.read_bytes()
    real = container._chunks

    def chunks(array: np.ndarray, dtype: np.dtype) -> Iterator[bytes]:
        for count, chunk in enumerate(real(array, dtype)):
            if array.size == 77 and count == 3:
                raise OSError(errno.EIO, "the disk under this array is gone")
            yield chunk

    monkeypatch.setattr(container, "_CHUNK", 64)
    monkeypatch.setattr(container, "_chunks", chunks)
    with pytest.raises(OSError, match="is gone"):
        container.write(small, {"a": np.arange(40), "b": np.arange(77)}, {})
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file size limit")
def test_a_full_disk_changes_nothing(small: Path) -> None:
    before = small.read_bytes()
    program = (
        "import resource, sys, numpy as np\n"
        "from scannlite.files import container\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))\n"
        "try:\n"
        "    container.write(sys.argv[1], {'a': np.zeros(1 << 20)}, {})\n"
        "except OSError as error:\n"
        "    print(type(error).__name__, error.errno)\n"
    )
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-W", "error", "-c", program, small],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stdout, done.stderr) == (f"OSError {errno.EFBIG}\n", "")
    assert small.read_bytes() == before
    assert list(small.parent.iterdir()) == [small]


def test_a_file_that_may_not_be_replaced_says_so(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "in use", "temporary")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError, match=r"left as it was.*small\.npz"):
        container.write(small, {}, {})


def test_file_and_folder_reach_the_disk_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fsync, replace = os.fsync, Path.replace

    def spy(handle: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", spy)
    monkeypatch.setattr(Path, "replace", lambda a, b: (calls.append("rename"), replace(a, b)))
    container.write(tmp_path / "x.npz", SMALL, {})
    assert calls == ["file", "rename", *(["folder"] if os.name == "posix" else [])]


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_links_are_followed_and_permissions_kept(small: Path, tmp_path: Path) -> None:
    small.chmod(0o640)
    link = tmp_path / "link.npz"
    link.symlink_to(small)
    container.write(link, {}, {"new": 1})
    assert link.is_symlink()
    assert container.read(small)[1] == {"new": 1}
    assert stat.S_IMODE(small.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes of POSIX")
def test_devices_and_pipes_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (Path(os.devnull), tmp_path / "pipe"):
        with pytest.raises(InvalidInput, match="device or pipe"):
            container.write(path, {}, {})
        with pytest.raises(IndexFileError, match="device or pipe"):
            container.read(path)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        container.read(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError, match=re.escape(tmp_path.name)):
        container.read(tmp_path)
    with pytest.raises(IsADirectoryError, match=re.escape(tmp_path.name)):
        container.write(tmp_path, {}, {})
    with pytest.raises(FileNotFoundError, match=r"x\.npz"):
        container.write(tmp_path / "none" / "x.npz", {}, {})
    assert list(tmp_path.iterdir()) == []


# ---- what is refused at the door ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "a\\b", "..\\x", "/a", ".a", "a.npy", "ä", "a b", "a\0", "header", "x" * 101, 3],
)
def test_names_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(InvalidInput, match="array names must"):
        container.write(tmp_path / "x.npz", {name: np.zeros(1)}, {})  # type: ignore[dict-item]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["O", "U3", "c8", "M8[s]", "V4", "f4,i2", "S0"])
def test_dtypes_refused(tmp_path: Path, dtype: str) -> None:
    array = np.ndarray((2,), dtype) if dtype == "S0" else np.zeros(2, dtype)
    if array.dtype == "S1":
        pytest.skip("NumPy has no empty strings")
    with pytest.raises(InvalidInput, match=r"arrays\['a'\] must hold bool"):
        container.write(tmp_path / "x.npz", {"a": array}, {})
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_an_array_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidType, match="must be a NumPy array, got list"):
        container.write(tmp_path / "x.npz", {"a": [1, 2]}, {})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "header",
    [{"format": 1}, {"version": 2}, {"a": {1}}, {"a": float("nan")}, {"a": b""}, {(1,): 2}],
)
def test_headers_refused(tmp_path: Path, header: dict) -> None:
    with pytest.raises(InvalidInput, match="header must"):
        container.write(tmp_path / "x.npz", {}, header)
    assert list(tmp_path.iterdir()) == []


# ---- damaged files -----------------------------------------------------------------------------


def refused(path: Path, *, verify: bool = True) -> str | None:
    """The message of the IndexFileError, or None for a file that was read with equal content."""
    try:
        found = container.read(path, verify=verify)
    except IndexFileError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        return message
    if verify:
        assert same(found, SMALL, HEADER)
    for array in found[0].values():
        array.tobytes()
    return None


@pytest.mark.parametrize("kind", ["small", "small_zip64"])
def test_every_truncation_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(kind)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        assert refused(path)
        assert refused(path, verify=False)


@pytest.mark.parametrize("kind", ["small", "small_zip64"])
def test_every_flipped_bit_is_refused_or_harmless(
    kind: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(kind)
    whole = bytearray(path.read_bytes())
    harmless = set()
    for place in range(len(whole)):
        for bit in range(8):
            whole[place] ^= 1 << bit
            path.write_bytes(whole)
            if refused(path) is None:
                harmless.add(place)
            refused(path, verify=False)
            whole[place] ^= 1 << bit
    assert harmless
    assert not harmless & meaningful(path, bytes(whole))


def meaningful(path: Path, whole: bytes) -> set[int]:
    """Every byte of a member, its name, sizes and checksum, here and in the directory."""
    path.write_bytes(whole)
    places: set[int] = set()
    with zipfile.ZipFile(path) as archive:
        entry = archive.start_dir
        for info in archive.infolist():
            local, name = info.header_offset, len(info.filename)
            start = data_offsets(path)[info.filename][1] - info.file_size
            places.update(range(start, start + info.file_size))
            for first, end in ((0, 4), (6, 10), (14, 30)):  # all but versions and dates
                places.update(range(local + first, local + end))
            for first, end in ((0, 4), (8, 12), (16, 30), (42, 46)):
                places.update(range(entry + first, entry + end))
            places.update(range(local + 30, local + 30 + name))
            places.update(range(entry + 46, entry + 46 + name))
            extra, comment = struct.unpack_from("<2H", whole, entry + 30)
            entry += 46 + name + extra + comment
    return places


@settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.data())
def test_rubbish_is_refused_or_harmless(tmp_path: Path, data: st.DataObject) -> None:
    """Bytes overwritten, taken out and put in, anywhere: hit hardest where sizes and counts are."""
    path = tmp_path / "x.npz"
    container.write(path, SMALL, HEADER)
    whole = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(whole)))
        gone = data.draw(st.integers(0, 8))
        piece = data.draw(
            st.binary(max_size=8)
            | st.sampled_from([b"\xff" * 4, b"\xff" * 8, b"PK\x05\x06", b"PK\x06\x07", b"\0" * 4])
        )
        whole = whole[:place] + piece + whole[place + gone :]
    path.write_bytes(whole)
    refused(path)
    refused(path, verify=False)


def test_messages_name_the_file_and_the_place(small: Path) -> None:
    start, _ = data_offsets(small)["rows.npy"]
    whole = bytearray(small.read_bytes())
    whole[start] ^= 1
    small.write_bytes(whole)
    message = refused(small)
    assert message is not None
    assert re.fullmatch(
        r".*small.npz: member 'rows.npy' at byte \d+: "
        r"expected the CRC-32 0x[0-9a-f]{8}, found 0x[0-9a-f]{8}\.",
        message,
    )
    assert not equal(container.read(small, verify=False)[0]["rows"], SMALL["rows"])


def test_bytes_added_at_either_end_are_refused(small: Path) -> None:
    whole = small.read_bytes()
    for changed in (whole + b"\0", whole + whole, b"\0" + whole, whole[:4] + whole):
        small.write_bytes(changed)
        assert refused(small)


def test_a_container_inside_a_container_is_not_mistaken_for_it(small: Path) -> None:
    inner = np.frombuffer(small.read_bytes(), np.uint8)
    container.write(small, {"inner": inner}, {})
    _, end = data_offsets(small)["inner.npy"]
    small.write_bytes(small.read_bytes()[:end])
    assert refused(small)


# ---- foreign, newer and forged files -----------------------------------------------------------


def npy_bytes(array: np.ndarray, **changes: object) -> bytes:
    file = io.BytesIO()
    fields = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **changes}
    np.lib.format.write_array_header_1_0(file, fields)
    return file.getvalue() + array.tobytes()


def aligned_info(name: str, offset: int, body: bytes, *, zip64: bool = False) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    head = 10 + struct.unpack_from("<H", body.ljust(10, b"\0"), 8)[0]
    pad = -(offset + 30 + len(name.encode()) + 20 * zip64 + 4 + head) % 64
    info.extra = struct.pack("<2H", 0xD935, pad) + bytes(pad)
    return info


def forge(path: Path, *members: tuple[str, bytes], header: object = None) -> Path:
    """A file that is right in all but what the test makes wrong."""
    fields = {"format": "scannlite", "version": 1} if header is None else header
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    raw = text.startswith(b"\x93NUMPY")
    head = ("header.npy", text if raw else npy_bytes(np.frombuffer(text, np.uint8)))
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, body in (head, *members):
            archive.writestr(aligned_info(name, file.tell(), body), body)
    return path


def test_forge_is_accepted(tmp_path: Path) -> None:
    path = forge(tmp_path / "x.npz", ("a.npy", npy_bytes(np.arange(3))))
    assert same(container.read(path), {"a": np.arange(3)}, {})


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.arange(3))
    with pytest.raises(IndexFileError, match=r"'header\.npy' first as in every file by scannlite"):
        container.read(path)
    np.savez_compressed(path, header=np.arange(300))
    with pytest.raises(IndexFileError, match="expected plain stored bytes"):
        container.read(path)
    np.savez(path, header=np.frombuffer(b'{"a": 1}', np.uint8))
    with pytest.raises(IndexFileError, match=r"format 'scannlite'|multiple of 64"):
        container.read(path)
    with path.open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(IndexFileError, match="expected a zip file written by scannlite, found"):
        container.read(path)
    path.write_bytes(b"")
    with pytest.raises(IndexFileError, match="found an empty one"):
        container.read(path)
    path.write_bytes(b"x")
    with pytest.raises(IndexFileError, match="found b'x'"):
        container.read(path)


def test_a_newer_format_says_what_to_do(tmp_path: Path) -> None:
    path = forge(
        tmp_path / "x.npz",
        ("later.thing", b"of another shape"),
        header={"format": "scannlite", "version": 2},
    )
    with pytest.raises(IndexFileError, match=r"version 2 .*newer scannlite.*upgrade scannlite"):
        container.read(path)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"format": "scannlite", "version": ' + b"1" * 5000 + b"}",
        b"[]",
        b"1",
        {},
        {"format": "scannlite"},
        {"format": "faiss", "version": 1},
        *({"format": "scannlite", "version": bad} for bad in (0, -1, "1", 1.0, True, None, [1])),
    ],
)
def test_wrong_headers_are_refused(tmp_path: Path, header: object) -> None:
    with pytest.raises(IndexFileError, match=r"member 'header\.npy' at byte 0: expected"):
        container.read(forge(tmp_path / "x.npz", header=header))


ROWS = npy_bytes(np.arange(3))
WRONG_ARRAYS = {
    "nothing": b"",
    "half a magic": b"\x93NUM",
    "no header length": b"\x93NUMPY\x01\x00",
    "header past the end": b"\x93NUMPY\x01\x00\xff\xff{}",
    "empty dictionary": b"\x93NUMPY\x01\x00\x02\x00{}",
    "version 2.0": ROWS.replace(b"\x01\x00", b"\x02\x00", 1),
    "objects": npy_bytes(np.arange(3), descr="|O"),
    "big-endian": npy_bytes(np.arange(3), descr=">i8"),
    "dates": npy_bytes(np.arange(3), descr="<M8[s]"),
    "void": npy_bytes(np.arange(3), descr="|V8"),
    "complex": npy_bytes(np.arange(3), descr="<c8"),
    "empty strings": npy_bytes(np.arange(3), descr="|S0"),
    "structure": npy_bytes(np.arange(3), descr=[("a", "<i8")]),
    "Fortran order": npy_bytes(np.arange(3), fortran_order=True),
    "a row too many": npy_bytes(np.arange(3), shape=(4,)),
    "a row too few": npy_bytes(np.arange(3), shape=(2,)),
    "negative": npy_bytes(np.arange(3), shape=(-3,)),
    "huge": npy_bytes(np.arange(3), shape=(3, 2**62)),
    "beyond int64": npy_bytes(np.arange(3), shape=(10**20,)),
    "product is 2**64": npy_bytes(np.arange(0), shape=(2**32, 2**32)),
    "empty but beyond int64": npy_bytes(np.arange(0), shape=(0, 2**63)),
    "empty but huge": npy_bytes(np.arange(0), shape=(0, 2**62, 2**62)),
    "70 axes": npy_bytes(np.arange(1), shape=(1,) * 70),
    "a byte too many": ROWS + b"\0",
    "a byte too few": ROWS[:-1],
    "code": ROWS.replace(b"False", b"open!"),
    "an escape": ROWS.replace(b"shape", b"shap\\"),
}


@pytest.mark.parametrize("wrong", WRONG_ARRAYS)
def test_wrong_arrays_are_refused(tmp_path: Path, wrong: str) -> None:
    members = [("good.npy", ROWS), ("bad.npy", WRONG_ARRAYS[wrong]), ("last.npy", ROWS)]
    path = forge(tmp_path / "x.npz", *members)
    for verify in (True, False):
        with pytest.raises(IndexFileError, match=r"x\.npz: member 'bad\.npy'"):
            container.read(path, verify=verify)


def test_a_header_of_another_kind_is_refused(tmp_path: Path) -> None:
    text = b'{"format": "scannlite", "version": 1}   '
    for array in (np.frombuffer(text, np.int64), np.frombuffer(text, np.uint8).reshape(2, -1)):
        path = forge(tmp_path / "x.npz", header=npy_bytes(array))
        with pytest.raises(IndexFileError, match="one-dimensional uint8 array"):
            container.read(path)


@pytest.mark.parametrize("name", ["bad", "bad.npy.npy", ".npy", "../bad.npy", "b d.npy", "bäd.npy"])
def test_wrong_member_names_are_refused(tmp_path: Path, name: str) -> None:
    path = forge(tmp_path / "x.npz", (name, npy_bytes(np.arange(3))))
    with pytest.raises(IndexFileError, match="expected a name made of"):
        container.read(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_used_twice_is_refused(tmp_path: Path) -> None:
    twice = ("a.npy", npy_bytes(np.arange(3)))
    with pytest.raises(IndexFileError, match="expected every name once"):
        container.read(forge(tmp_path / "x.npz", twice, twice))


def test_a_file_zipped_anew_is_refused_for_its_alignment(small: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    with zipfile.ZipFile(small) as source, zipfile.ZipFile(again, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    with pytest.raises(IndexFileError, match="expected array data at a multiple of 64 bytes"):
        container.read(again)


# ---- the document ------------------------------------------------------------------------------


def hexdump(raw: bytes) -> str:
    """Like ``hexdump -C``: offset, 16 bytes, text; ``*`` for rows equal to the one before."""
    lines, last, starred = [], b"", False
    for at in range(0, len(raw), 16):
        row = raw[at : at + 16]
        if row == last:
            lines += [] if starred else ["*"]
            starred = True
            continue
        last, starred = row, False
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:04x}  {row.hex(' '):47}  |{text}|")
    return "\n".join([*lines, f"{len(raw):04x}"])


def test_the_example_in_the_document_is_true(tmp_path: Path) -> None:
    path = tmp_path / "example.npz"
    container.write(path, {"codes": np.array([[1, 2, 3], [4, 5, 6]], np.uint8)}, {"d": 3})
    (documented,) = re.findall(r"```hexdump\n(.*?)\n```", DOC.read_text("utf-8"), re.DOTALL)
    assert hexdump(path.read_bytes()) == documented


def test_the_example_read_by_hand(tmp_path: Path) -> None:
    """The whole file spelled out field by field, from the document and not from the code."""
    path = tmp_path / "example.npz"
    container.write(path, {"codes": np.array([[1, 2, 3], [4, 5, 6]], np.uint8)}, {"d": 3})
    json_text = b'{"format": "scannlite", "version": 1, "d": 3}'
    members, directory = b"", b""
    for name, shape, data in (
        (b"header.npy", b"(45,)", json_text),
        (b"codes.npy", b"(2, 3)", bytes([1, 2, 3, 4, 5, 6])),
    ):
        fields = b"{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + b", }"
        body = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + fields.ljust(117) + b"\n" + data
        start = len(members)
        zeros = -(start + 30 + len(name) + 6) % 64
        extra = struct.pack("<3H", 0xD935, 2 + zeros, 64) + bytes(zeros)
        common = struct.pack(
            "<5H3L2H",
            20,
            0,
            0,
            0,
            33,
            zlib.crc32(body),
            len(body),
            len(body),
            len(name),
            len(extra),
        )
        members += b"PK\3\4" + common + name + extra + body
        directory += b"PK\1\2\x14\3" + common + struct.pack("<3H2L", 0, 0, 0, 0o100644 << 16, start)
        directory += name + extra
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 2, 2, len(directory), len(members), 0)
    assert path.read_bytes() == members + directory + end
