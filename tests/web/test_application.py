"""What the application answers, to questions good, wrong and hostile."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scannlite import Index, InvalidInput, ModelError, ScaNNOptions, ScoreBruteForce
from scannlite.web.application import MOST_BYTES, MOST_RESULTS, Page, application
from scannlite.web.opening import Sources, open_search
from scannlite.web.pictures import Pictures
from scannlite.web.search import Search
from tests.embedders import tiny_models as models
from tests.embedders.runtimes import needs_runtime
from tests.web.asgi import Answer, ask, needs_web
from tests.web.gallery import HOSTILE, Gallery

pytestmark = [needs_runtime, needs_web]
SECRET = b"not for the page"


@pytest.fixture(scope="module")
def search(gallery: Gallery) -> Search:
    images, beside = gallery.folder, gallery.image_embedder
    return open_search(Sources(gallery.searcher, images=images, image_embedder=beside))


@pytest.fixture(scope="module")
def page(search: Search) -> Any:
    return application(search, Page("the gallery", 6))


def results(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    return answer.json["results"]


# ---- answers -----------------------------------------------------------------------------------


def test_a_text_is_answered_with_rows(page: Any) -> None:
    found = results(ask(page, "/api/search", "q=red+circle&k=3&leaves=9"))
    assert len(found) == 3
    assert set(found[0]) == {"row", "metadata", "picture", "distance"}
    assert found[0]["distance"] <= found[1]["distance"] <= found[2]["distance"]
    assert "red" in found[0]["metadata"]


def test_k_is_that_of_the_page_unless_said(page: Any) -> None:
    assert len(results(ask(page, "/api/search", "q=red"))) == 6


def test_leaves_change_what_is_searched(page: Any, search: Search) -> None:
    """With one leaf fewer rows are found than there are, with all leaves all of them."""
    one, every = (
        len(results(ask(page, "/api/search", f"q=red&k=999&leaves={leaves}"))) for leaves in (1, 9)
    )
    assert one < every == len(search.index)


@pytest.mark.parametrize("quick", [True, False])
def test_answers_are_the_same_in_a_thread(gallery: Gallery, quick: bool) -> None:
    search = open_search(Sources(gallery.searcher, images=gallery.folder))
    assert search.quick  # a model of a few operators is
    search.quick = quick
    answer = ask(application(search, Page("")), "/api/search", "q=red&k=4")
    expected = ask(application(search, Page("")), "/api/search", "q=red&k=4")
    rows = [[each["row"] for each in results(one)] for one in (answer, expected)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 4


def test_a_picture_is_answered_with_rows(page: Any, gallery: Gallery) -> None:
    content = (gallery.folder / "green_cross_01.png").read_bytes()
    parts = [content[:100], content[100:101], b"", content[101:]]
    answer = ask(page, "/api/search-image", "k=2", method="POST", body=parts)
    assert results(answer) == results(
        ask(page, "/api/search-image", "k=2", method="POST", body=[content])
    )
    assert "green_cross_01.png" in [each["metadata"] for each in results(answer)]


def test_time_is_told_in_a_header_the_whole_not_less_than_its_parts(page: Any) -> None:
    answer = ask(page, "/api/search", "q=red")
    said = dict(re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"]))
    assert list(said) == ["prepare", "model", "search", "total"]
    parts = [float(said[name]) for name in ("prepare", "model", "search")]
    assert 0 < sum(parts) <= float(said["total"]) + 0.002  # rounded to 0.001


def test_info_says_what_there_is(page: Any, gallery: Gallery) -> None:
    info = ask(page, "/api/info").json
    assert info["title"] == "the gallery"
    assert info["takes"] == ["text", "image"]
    assert (info["rows"], info["pictures"]) == (len(gallery.names) + 6, len(gallery.names))
    assert (info["leaves"], info["leaves_to_search"], info["k"]) == (9, 3, 6)
    assert (info["most_results"], info["most_bytes"]) == (MOST_RESULTS, MOST_BYTES)
    assert info["distance_measure"] == "squared_l2"
    assert len(info["examples"]) == 6
    assert set(" ".join(info["examples"]).split()) < set(re.findall(r"[a-z]+", str(gallery.names)))
    assert len(info["some"]) == 12
    assert all(each["picture"] and each["distance"] is None for each in info["some"])


def test_examples_may_be_given(search: Search) -> None:
    page = application(search, Page("", examples=["a plane on a runway"]))
    assert ask(page, "/api/info").json["examples"] == ["a plane on a runway"]


def test_a_searcher_of_pictures_has_no_texts_to_click(gallery: Gallery) -> None:
    search = open_search(Sources(gallery.image_searcher, images=gallery.folder))
    info = ask(application(search, Page("")), "/api/info").json
    assert (info["takes"], info["examples"]) == (["image"], [])


def test_an_index_without_a_tree_has_no_leaves_to_choose(gallery: Gallery, tmp_path: Path) -> None:
    exact = ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce())
    Index.build(np.eye(48, dtype=np.float32), exact).save(tmp_path / "exact.npz")
    search = open_search(Sources(gallery.searcher, index=tmp_path / "exact.npz"))
    page = application(search, Page(""))
    info = ask(page, "/api/info").json
    assert (info["leaves"], info["leaves_to_search"]) == (None, None)
    assert len(results(ask(page, "/api/search", "q=red&k=5"))) == 5
    assert ask(page, "/api/search", "q=red&leaves=1").status == 400


def test_a_picture_is_given_by_row(page: Any, gallery: Gallery) -> None:
    (found,) = results(ask(page, "/api/search", "q=red&k=1"))
    answer = ask(page, found["picture"])
    assert answer.status == 200
    assert answer.body == (gallery.folder / found["metadata"]).read_bytes()
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/script.js", "text/javascript; charset=utf-8"),
        ("/results.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_is_given(page: Any, path: str, media_type: str) -> None:
    answer = ask(page, path)
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)


def test_the_page_has_all_it_names_and_nothing_from_elsewhere(page: Any) -> None:
    """No script or style inside it either: the policy would not let them run."""
    html = ask(page, "/").body.decode()
    names = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(names) == 4
    for name in names:
        assert ask(page, name).status == 200
    for module in re.findall(r'from "\./([^"]+)"', ask(page, "/script.js").body.decode()):
        assert ask(page, f"/{module}").status == 200
    assert not re.search(r"<style|<script>|\son\w+=|\sstyle=", html)
    style = ask(page, "/style.css").body.decode()
    assert "url(" not in style
    assert "@import" not in style


# ---- care --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/script.js", "/api/info", "/api/search", "/nothing"])
def test_every_answer_restricts_browsers(page: Any, path: str) -> None:
    headers = ask(page, path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_pictures_are_kept_by_the_browser_only_and_not_for_another_run(search: Search) -> None:
    one, other = (application(search, Page("")) for _ in range(2))
    address = results(ask(one, "/api/search", "q=red&k=1"))[0]["picture"]
    kept = ask(one, address).headers
    assert kept["cache-control"] == "private, max-age=3600, immutable"
    assert kept["x-content-type-options"] == "nosniff"
    assert ask(other, address).status == 404


@pytest.mark.parametrize(
    "hosts",
    [["evil.example"], ["evil.example:8000"], [], [""], ["localhost:8000", "evil.example"]],
)
@pytest.mark.parametrize("path", ["/", "/api/info", "/api/search", "/images/x/0"])
def test_a_request_for_another_host_is_refused(page: Any, path: str, hosts: list[str]) -> None:
    answer = ask(page, path, "q=red", hosts=hosts)
    assert answer.status == 400
    assert answer.error.startswith("Host must be")
    assert answer.headers["x-content-type-options"] == "nosniff"


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "q must be a text to search for, got ''."),
        ("q=", "q must be a text to search for, got ''."),
        ("q=%20%09", r"q must be a text to search for, got ' \t'."),
        ("q=red&k=0", "k must be from 1 to 1000, got 0."),
        ("q=red&k=-1", "k must be from 1 to 1000, got -1."),
        ("q=red&k=1001", "k must be from 1 to 1000, got 1001."),
        ("q=red&k=x", "k must be a whole number, got 'x'."),
        ("q=red&k=", "k must be a whole number, got ''."),
        ("q=red&k=1.5", "k must be a whole number, got '1.5'."),
        ("q=red&k=NaN", "k must be a whole number, got 'NaN'."),
        ("q=red&leaves=0", "leaves must be from 1 to 9, got 0."),
        ("q=red&leaves=10", "leaves must be from 1 to 9, got 10."),
        ("q=red&leaves=[]", "leaves must be a whole number, got '[]'."),
    ],
)
def test_a_wrong_question_gets_one_sentence(page: Any, query: str, sentence: str) -> None:
    answer = ask(page, "/api/search", query)
    assert (answer.status, answer.json) == (400, {"error": sentence})


def test_a_number_of_many_digits_is_refused(page: Any) -> None:
    assert ask(page, "/api/search", f"q=red&k={'9' * 5000}").status == 400


@pytest.mark.parametrize("query", ["q=%FF%FE", "q=%00", "q=%ED%A0%80", "q=a&q=b", "q=%F0%9F%90%88"])
def test_any_bytes_are_a_text(page: Any, query: str) -> None:
    assert ask(page, "/api/search", query).status == 200


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4"]
)
def test_what_is_no_picture_gets_one_sentence(page: Any, content: bytes) -> None:
    answer = ask(page, "/api/search-image", method="POST", body=[content])
    assert answer.status == 400
    assert answer.error.startswith("what was sent must be")
    assert answer.error.count(". ") == 0


def test_a_body_that_is_too_large_is_not_read_to_its_end(page: Any) -> None:
    """Nor is what it says of its own length believed."""
    parts = iter([bytes(1_000_000)] * 100)
    answer = ask(page, "/api/search-image", method="POST", body=parts)
    assert answer.status == 413
    assert answer.error == f"the picture must have at most {MOST_BYTES:,} bytes."
    assert len(list(parts)) == 79


def test_a_body_may_be_as_large_as_allowed(page: Any, gallery: Gallery) -> None:
    """A picture, and what its decoder leaves unread."""
    content = (gallery.folder / gallery.names[0]).read_bytes()
    padding = bytes(MOST_BYTES - len(content))
    answer = ask(page, "/api/search-image", method="POST", body=[content, padding])
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/search"),
        ("GET", "/api/search-image"),
        ("DELETE", "/"),
        ("PUT", "/api/info"),
        ("OPTIONS", "/api/search"),
    ],
)
def test_other_methods_are_refused(page: Any, method: str, path: str) -> None:
    answer = ask(page, path, method=method)
    assert answer.status == 405
    assert answer.error.endswith(".")


def test_the_page_needs_a_number_of_results(search: Search) -> None:
    with pytest.raises(InvalidInput, match="k must be from 1 to 1000, got 0"):
        application(search, Page("", 0))


# ---- what fails --------------------------------------------------------------------------------


def test_a_model_that_fails_is_told_of(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ModelError("text.tflite: it fails.")

    page = application(search, Page(""))
    monkeypatch.setattr(search, "by_text", fail)
    answer = ask(page, "/api/search", "q=red")
    assert (answer.status, answer.error) == (500, "text.tflite: it fails.")


def test_a_bug_is_told_of_without_its_words(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They go to the log: the error is raised once more for the server."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError(str(SECRET))

    monkeypatch.setattr(search, "by_text", fail)
    with pytest.raises(ZeroDivisionError):
        ask(application(search, Page("")), "/api/search", "q=red")


def test_who_leaves_while_sending_is_no_error(page: Any) -> None:
    """As happens when another picture is dropped at once; nobody is there for the answer."""
    parts = [b"\x89PNG"]
    assert ask(page, "/api/search-image", method="POST", body=parts, leaves=True).status == 400


# ---- hostile names -----------------------------------------------------------------------------


def test_hostile_metadata_come_as_they_are_in_json(page: Any) -> None:
    """Not as HTML: what the page makes of them is text."""
    answer = ask(page, "/api/search", "q=odd&k=6&leaves=9")
    assert sorted(each["metadata"] for each in results(answer)) == sorted(HOSTILE)
    assert answer.headers["content-type"] == "application/json"
    assert answer.body.isascii()


def page_of(folder: Path, home: Path, metadata: list[str | bytes]) -> Any:
    """A page of rows that the words p0, p1 and so on find."""
    rows = np.eye(len(metadata), dtype=np.float32)
    (home / "text.tflite").write_bytes(models.regex_model(rows))
    exact = ScaNNOptions("squared_l2", score_brute_force=ScoreBruteForce())
    Index.build(rows, exact, metadata=metadata).save(home / "index.npz")
    sources = Sources(home / "text.tflite", index=home / "index.npz", images=folder)
    return application(open_search(sources), Page("", 100))


def test_metadata_of_any_bytes_come_as_text(tmp_path: Path) -> None:
    page = page_of(tmp_path, tmp_path, [b"\xff\xfe", "\udcff", "\x00\x1b[31m", "naïve", b""])
    found = {each["row"]: each["metadata"] for each in results(ask(page, "/api/search", "q=p0"))}
    assert found == {0: r"\xff\xfe", 1: "\udcff", 2: "\x00\x1b[31m", 3: "naïve", 4: ""}


def test_a_path_in_metadata_is_never_followed(tmp_path: Path) -> None:
    """The secret is beside the folder, and no row's picture, whatever its metadata say."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(SECRET)
    (folder / "notes.txt").write_bytes(SECRET)
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    metadata = [
        *("../secret.png", "../secret", "..\\secret.png", "..%2fsecret.png", "%2e%2e/secret.png"),
        *(str(tmp_path / "secret.png"), f"file://{tmp_path}/secret.png", "out.png", "out"),
        *("notes.txt", "notes", "secret.png\0.png", "./../secret.png", "//secret.png"),
    ]
    page = page_of(folder, tmp_path, list(metadata))
    found = results(ask(page, "/api/search", "q=p0"))
    assert len(found) == len(metadata)
    assert [each["picture"] for each in found] == [None] * len(metadata)
    run = re.search(r"/images/(\w+)/", str(page._application.routes)).group(1)
    for row in range(len(metadata)):
        answer = ask(page, f"/images/{run}/{row}")
        assert (answer.status, answer.error) == (404, f"row {row} has no picture.")


def test_a_picture_that_is_gone_is_not_found(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a picture")
    page = page_of(folder, tmp_path, ["a", "b"])
    address = results(ask(page, "/api/search", "q=p0&k=1"))[0]["picture"]
    assert ask(page, address).body == b"a picture"
    (folder / "a.png").unlink()
    assert ask(page, address).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.png",
        "/../../../../etc/passwd",
        "/%2e%2e/secret.png",
        "/%252e%252e%252fsecret.png",
        "//etc/passwd",
        "/images/../secret.png",
        "/images/{run}/../../secret.png",
        "/images/{run}/0/../../../secret.png",
        "/images/{run}/..%2f..%2fsecret.png",
        "/images/{run}/..\\..\\secret.png",
        "/images/{run}/C:\\secret.png",
        "/images/{run}//etc/passwd",
        "/images/{run}/a.png",
        "/images/{run}/0.png",
        "/images/{run}/0\0.png",
        "/images/{run}/\0",
        "/images/{run}/-1",
        "/images/{run}/1e0",
        "/images/{run}/999999999999999999999999",
        "/images/{run}/",
        "/images/0",
        "/images//0",
        "/images/{run}x/0",
        "/page/../application.py",
        "/style.css/../../application.py",
        "/style.css/",
        "/api/info/",
        "/application.py",
        "/__init__.py",
        "/.",
        "",
    ],
)
def test_a_path_in_a_request_is_never_followed(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(SECRET)
    (folder / "a.png").write_bytes(b"a picture")
    page = page_of(folder, tmp_path, ["a", "b"])
    picture = results(ask(page, "/api/search", "q=p0&k=1"))[0]["picture"]
    answer = ask(page, path.format(run=picture.split("/")[2]))
    assert answer.status == 404
    assert SECRET not in answer.body
    assert json.loads(answer.body)["error"].endswith(".")


def test_no_folder_no_pictures(gallery: Gallery) -> None:
    search = open_search(Sources(gallery.searcher))
    page = application(search, Page(""))
    assert all(each["picture"] is None for each in results(ask(page, "/api/search", "q=red")))
    assert search.picture(0) is None
    assert Pictures(None).find(gallery.names[0]) is None
