"""``scannlite serve``: what it prints, how it ends, and how it fails."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scannlite.cli import main
from scannlite.web import server
from scannlite.web.examples import examples_in
from tests.embedders.runtimes import needs_runtime
from tests.web.asgi import needs_web
from tests.web.browser import served
from tests.web.gallery import Gallery

pytestmark = [needs_runtime, needs_web]
Capture = pytest.CaptureFixture[str]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process; what listens is interrupted at once."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(server.Listener, "run", interrupted)
        code = main(["serve", *map(str, words), "--port", "0"])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def connection(gallery: Gallery) -> Iterator[http.client.HTTPConnection]:
    """To a server of its own process."""
    words = [gallery.searcher, "--images", gallery.folder]
    with served(words) as (address, _):
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        yield connection
        connection.close()


def answer(connection: http.client.HTTPConnection, *asked: Any, **more: Any) -> tuple[int, bytes]:
    connection.request(*asked, **more)
    response = connection.getresponse()
    return response.status, response.read()


# ---- served ------------------------------------------------------------------------------------


def test_the_page_is_served_and_answers(connection: http.client.HTTPConnection) -> None:
    status, page = answer(connection, "GET", "/")
    assert status == 200
    assert b"<title>scannlite</title>" in page
    status, found = answer(connection, "GET", "/api/search?q=red+circle&k=2")
    (first, _) = json.loads(found)["results"]
    assert answer(connection, "GET", first["picture"])[1].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/%252e%252e/%252e%252e/etc/passwd",
        "/..%5c..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/images/..%2f..%2fsearcher.tflite",
        "/images/%00",
        "/page/..%2fapplication.py",
    ],
)
def test_no_path_leaves_the_page(connection: http.client.HTTPConnection, path: str) -> None:
    status, body = answer(connection, "GET", path)
    assert status == 404
    assert b"root:" not in body


def test_another_host_is_refused(connection: http.client.HTTPConnection) -> None:
    assert answer(connection, "GET", "/", headers={"Host": "evil.example"})[0] == 400


def test_the_server_does_not_say_what_it_is_made_of(
    connection: http.client.HTTPConnection,
) -> None:
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    assert response.getheader("Server") is None


def test_answers_do_not_wait_for_the_other_side() -> None:
    """Without TCP_NODELAY each would take 40 ms more."""
    with server.Listener("127.0.0.1", 0) as listener:
        assert listener._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
def test_ctrl_c_ends_it_without_a_word(gallery: Gallery) -> None:
    """With the exit code of every interrupted command."""
    with served([gallery.searcher]) as (_, process):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert "Interrupt" not in err


# ---- what it prints ----------------------------------------------------------------------------


def test_it_says_what_there_is_and_then_the_address(run: Run, gallery: Gallery) -> None:
    code, out, err = run(gallery.searcher, "--images", gallery.folder)
    first, second = out.splitlines()
    assert code == 130
    assert first.startswith(f"{gallery.searcher}: 96 rows, 90 with a picture.")
    assert second.startswith("http://127.0.0.1:")
    assert second.endswith("/")
    assert err == ""


def test_open_opens_the_address(
    run: Run, gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    class AtOnce:
        def __init__(self, target: Callable[..., object], args: Any, **_: object) -> None:
            self.start = lambda: target(*args)

    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr("threading.Thread", AtOnce)
    _, out, _ = run(gallery.searcher, "--open")
    assert opened == [out.splitlines()[1]]


@pytest.mark.filterwarnings("always::scannlite.ScannliteWarning")
def test_a_folder_of_other_pictures_is_warned_of(
    run: Run, gallery: Gallery, tmp_path: Path
) -> None:
    code, _, err = run(gallery.searcher, "--images", tmp_path)
    assert code == 130
    assert err == (
        f"scannlite: warning: no row's metadata names a picture of {tmp_path}: "
        "the page shows text.\n"
    )


# ---- how it fails ------------------------------------------------------------------------------


def failed(found: tuple[int, str, str]) -> str:
    """The one line of a failure."""
    code, out, err = found
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_files_that_are_not_there_are_named(run: Run, gallery: Gallery, tmp_path: Path) -> None:
    missing = tmp_path / "nothing"
    for words in (
        [missing],
        [gallery.searcher, "--images", missing],
        [gallery.searcher, "--index", missing],
        [gallery.searcher, "--image-embedder", missing],
        [gallery.searcher, "--examples", missing],
    ):
        assert str(missing) in failed(run(*words))


def test_a_port_that_is_taken_is_told_of(gallery: Gallery, capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = main(["serve", str(gallery.searcher), "--port", str(port)])
    err = failed((code, *capsys.readouterr()))
    assert f"host and port must be of this machine and free, got 127.0.0.1:{port}: " in err


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_is_a_number_of_16_bits(gallery: Gallery, port: str, capsys: Capture) -> None:
    code = main(["serve", str(gallery.searcher), "--port", port])
    assert "port must be from 0 to 65535" in failed((code, *capsys.readouterr()))


def test_a_host_must_be_of_this_machine(run: Run, gallery: Gallery) -> None:
    """192.0.2.1 is nobody's: it is kept for documents."""
    assert "got 192.0.2.1:0: " in failed(run(gallery.searcher, "--host", "192.0.2.1"))


def test_k_is_checked_before_anything_is_opened(run: Run, tmp_path: Path) -> None:
    assert "k must be from 1 to 1000, got 0" in failed(run(tmp_path / "nothing", "-k", 0))


@pytest.mark.parametrize("library", ["uvicorn", "starlette.applications"])
def test_a_missing_library_is_named_with_its_extra(
    run: Run, gallery: Gallery, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    code, _, err = run(gallery.searcher)
    assert code == 2
    assert "the search page needs the extra 'web'" in err


# ---- questions to click ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metadata", "questions"),
    [
        ([], []),
        (["red_circle_01.png", "red_circle_02.png"], []),
        (["red_circle_01.png", "blue-ring.jpg"], ["red circle", "blue ring"]),
        (["a/b/red circle.png", "A man and/or a dog."], ["red circle", "A man and/or a dog."]),
        (["0001", "0002"], []),
        (["IMG_0001", "DSC_0001"], ["IMG", "DSC"]),
        (["chat_d'été.png", "猫.png"], ["chat d'été", "猫"]),
        (["x" * 61, "y" * 60, "z"], ["y" * 60, "z"]),
        (["<b>bold</b>", "red"], ["b", "red"]),
    ],
)
def test_questions_are_words_of_metadata(metadata: list[str], questions: list[str]) -> None:
    assert examples_in(metadata) == questions


def test_questions_are_few_and_from_all_over() -> None:
    names = [f"{first} {second}" for first in "abcde" for second in "vwxyz"]
    assert examples_in(names) == ["a v", "a z", "b y", "c x", "d w", "e v"]
