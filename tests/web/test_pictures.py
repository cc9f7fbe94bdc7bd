"""Names to pictures of one folder, and never to anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scannlite.web.pictures import Pictures

SECRET = b"not for the page"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``pictures/``, with a secret beside it."""
    (tmp_path / "secret.png").write_bytes(SECRET)
    folder = tmp_path / "pictures"
    for name in ("a.png", "b.jpg", "cats/a.png", "cats/c.d.webp", "dogs/c.d.png", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.png", "a.png"),
        ("cats/a.png", "cats/a.png"),
        ("cats/a", "cats/a.png"),
        ("cats\\a.png", "cats/a.png"),
        ("c.d.webp", "cats/c.d.webp"),
        ("dogs/c.d", "dogs/c.d.png"),
        ("b", "b.jpg"),
    ],
)
def test_a_path_or_a_name_is_enough_with_or_without_suffix(
    folder: Path, name: str, found: str
) -> None:
    pictures = Pictures(folder)
    inside = pictures.find(name)
    assert inside == found
    assert pictures.read(inside)[0] == found.encode()


def test_of_several_pictures_the_most_exact_name_wins_and_then_the_first_path(folder: Path) -> None:
    """``a`` is both ``a.png`` and ``cats/a.png``; ``c.d`` is in two folders."""
    pictures = Pictures(folder)
    assert pictures.find("a") == "a.png"
    assert pictures.find("c.d") == "cats/c.d.webp"


def test_a_name_with_a_dot_may_be_a_stem(folder: Path) -> None:
    """Where names lost one suffix, what is left may look like a suffix."""
    (folder / "scene.0001.v2.png").touch()
    assert Pictures(folder).find("scene.0001.v2") == "scene.0001.v2.png"


def test_media_types_follow_the_suffix_in_any_case(folder: Path) -> None:
    (folder / "e.JPeG").touch()
    pictures = Pictures(folder)
    types = {name: pictures.read(pictures.find(name))[1] for name in ("a.png", "b.jpg", "e.JPeG")}
    assert types == {"a.png": "image/png", "b.jpg": "image/jpeg", "e.JPeG": "image/jpeg"}


def test_accents_are_found_however_they_are_written(folder: Path) -> None:
    """As one character and as two."""
    (folder / "cafe\u0301.png").touch()
    (folder / "na\u00efve.png").touch()
    pictures = Pictures(folder)
    assert pictures.find("caf\u00e9") == "cafe\u0301.png"
    assert pictures.find("nai\u0308ve") == "na\u00efve.png"


@pytest.mark.parametrize("name", ["notes.txt", "notes", "cats", "", ".", "a.pn", "A.PNG", "a.png/"])
def test_what_is_no_picture_is_not_found(folder: Path, name: str) -> None:
    (folder / "drawing.svg").write_bytes(b"<svg><script>alert(1)</script></svg>")
    assert Pictures(folder).find(name) is None
    assert Pictures(folder).find("drawing") is None


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "../secret",
        "cats/../../secret.png",
        "..\\secret.png",
        "./a.png",
        "//a.png",
        "secret.png\0.png",
        "a.png\0",
        "%2e%2e/secret.png",
        "..%2fsecret.png",
        "%252e%252e%252fsecret.png",
        "file:///secret.png",
        "\udcff.png",
    ],
)
def test_a_name_is_never_followed(folder: Path, name: str) -> None:
    assert Pictures(folder).find(name) is None


def test_an_absolute_path_is_never_followed(folder: Path) -> None:
    """Neither out of the folder nor into it."""
    pictures = Pictures(folder)
    assert pictures.find(str(folder.parent / "secret.png")) is None
    assert pictures.find(str(folder / "a.png")) is None


@given(
    name=st.text(st.sampled_from("./\\ac\0%2epng~:"), max_size=20)
    | st.text(st.characters(codec=None), max_size=20)
)
def test_whatever_is_found_is_inside(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "inside"
    (folder / "a").mkdir(parents=True, exist_ok=True)
    (folder / "a" / "c.png").touch()
    found = Pictures(folder).find(name)
    assert found in (None, "a/c.png")


def link(path: Path, target: Path) -> Path:
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except OSError:
        pytest.skip("no links can be made here")
    return path


def test_a_link_out_of_the_folder_is_not_found(folder: Path) -> None:
    """Nor one to what is no picture, to nothing, or to itself; nor what is in a linked folder."""
    link(folder / "out.png", folder.parent / "secret.png")
    link(folder / "text.png", folder / "notes.txt")
    link(folder / "gone.png", folder / "nothing.png")
    link(folder / "loop.png", folder / "loop.png")
    link(folder / "up", folder.parent)
    pictures = Pictures(folder)
    for name in ("out", "text", "gone", "loop", "up/secret.png", "secret"):
        assert pictures.find(name) is None


def test_a_link_inside_the_folder_is_a_picture(folder: Path) -> None:
    """Of the type that its target is, whatever its own name says."""
    link(folder / "other.png", folder / "b.jpg")
    pictures = Pictures(folder)
    assert pictures.read(pictures.find("other")) == (b"b.jpg", "image/jpeg")


def test_a_picture_that_becomes_a_link_out_is_not_read(folder: Path) -> None:
    pictures = Pictures(folder)
    found = pictures.find("b")
    (folder / "b.jpg").unlink()
    link(folder / "b.jpg", folder.parent / "secret.png")
    with pytest.raises(FileNotFoundError, match=r"b\.jpg"):
        pictures.read(found)


def test_a_folder_that_becomes_a_link_out_is_not_read(folder: Path) -> None:
    pictures = Pictures(folder)
    found = pictures.find("cats/a.png")
    (folder / "cats").rename(folder.parent / "moved")
    link(folder / "cats", folder.parent / "moved")
    with pytest.raises(FileNotFoundError):
        pictures.read(found)


def test_a_picture_that_is_gone_is_not_read(folder: Path) -> None:
    pictures = Pictures(folder)
    found = pictures.find("b")
    (folder / "b.jpg").unlink()
    with pytest.raises(FileNotFoundError):
        pictures.read(found)


def test_the_folder_may_itself_be_a_link(folder: Path) -> None:
    pictures = Pictures(link(folder.parent / "linked", folder))
    assert pictures.read(pictures.find("b"))[0] == b"b.jpg"


def test_no_folder_has_no_pictures() -> None:
    assert Pictures(None).find("a.png") is None


def test_a_folder_must_be_there(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Pictures(folder / "nothing")
    with pytest.raises(NotADirectoryError):
        Pictures(folder / "a.png")
