"""The search page in a real browser, by eye, hand and ear."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.embedders.runtimes import needs_runtime
from tests.web.browser import Page, chromium, needs_chromium, served
from tests.web.gallery import COLOURS, HOSTILE, SHAPES, Gallery, draw

pytestmark = [needs_runtime, needs_chromium]
ENTER, ESCAPE, END, TAB = "\ue007", "\ue00c", "\ue010", "\ue004"
LEFT, UP, RIGHT, DOWN = "\ue012", "\ue013", "\ue014", "\ue015"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def address(gallery: Gallery) -> Iterator[str]:
    images, beside = gallery.folder, gallery.image_embedder
    words = [gallery.searcher, "--images", images, "--image-embedder", beside, "-k", 8]
    with served(words) as (address, _):
        yield address


@pytest.fixture
def page(driver: Any, address: str) -> Iterator[Page]:
    """Just opened; at the end its console must have said nothing."""
    page = Page(driver, address)
    page.size(1280, 860)
    page.scheme("light")
    yield page.open()
    assert page.console() == []


# ---- asking with texts -------------------------------------------------------------------------


def test_a_hundred_queries_in_a_row_without_an_error(page: Page) -> None:
    """Typed key by key, each with its answer on the page before the next."""
    wordings = ("{} {}", "a {} {}", "{1} {0}", "the {} {} there")
    queries = [
        wording.format(colour, shape)
        for wording, colour, shape in itertools.product(wordings, COLOURS, SHAPES)
    ][:100]
    assert len(set(queries)) == 100
    for query in queries:
        page.type(query)
        page.answered(f"8 nearest to “{query}”")
        assert len(page.texts(".card .words")) == 8
    assert page.find("#error").is_displayed() is False
    assert page.run(
        "return [...document.querySelectorAll('.card img')]"
        ".every((each) => each.naturalWidth || !each.complete)"
    )


def test_results_come_as_one_types(page: Page) -> None:
    """No Enter; the nearest first, each with its picture, its metadata and its distance."""
    page.type("red circle")
    page.answered("“red circle”")
    assert "red" in page.texts(".card .words")[0]
    distances = [float(text.removeprefix("distance ")) for text in page.texts(".distance")]
    assert distances == sorted(distances)
    page.until("[...document.querySelectorAll('.card img')].every((each) => each.naturalWidth)")


def test_an_answer_that_comes_late_is_dropped(page: Page) -> None:
    """Though the one to "red" arrives after that to "blue"."""
    page.run(
        "const real = fetch; window.late = 0;"
        "window.fetch = async (address) => {"
        "  const answer = await real(address);"
        "  if (!address.includes('q=red')) return answer;"
        "  await new Promise((go) => (window.release = go));"
        "  setTimeout(() => (window.late = 1));"
        "  return answer;"
        "}"
    )
    page.type("red")
    page.until("window.release")
    page.type("blue")
    page.answered("“blue”")
    page.run("window.release()")
    page.until("window.late")
    assert page.text("#status").endswith("nearest to “blue”")


def test_a_question_that_is_overtaken_is_aborted(page: Page) -> None:
    page.run(
        "const real = fetch; window.aborted = [];"
        "window.fetch = (address, options) => new Promise((go, fail) => {"
        "  options.signal.addEventListener('abort', () => {"
        "    window.aborted.push(address); fail(new DOMException('', 'AbortError'));"
        "  });"
        "  if (!address.includes('q=red')) real(address).then(go);"
        "})"
    )
    page.type("red")
    page.find("#box").send_keys(ENTER)
    page.type("blue")
    page.answered("“blue”")
    assert any("q=red" in address for address in page.run("return window.aborted"))
    assert page.find("#error").is_displayed() is False


def test_the_time_is_told_in_stages(page: Page) -> None:
    page.type("red circle")
    page.answered("“red circle”")
    names = ["tokenise", "model", "search", "server in all", "round trip"]
    assert page.texts("#timings dt") == names
    *stages, server, round_trip = (float(text.split()[0]) for text in page.texts("#timings dd"))
    assert sum(stages) <= server + 0.02
    assert server <= round_trip + 0.02


def test_the_slider_changes_how_many_leaves_are_searched(page: Page) -> None:
    page.type("red circle")
    page.answered("“red circle”")
    assert (page.text("#leaves-value"), "leaves=3" in page.asked()[-1]) == ("3 of 9", True)
    page.find("#leaves").send_keys(END)
    page.until("performance.getEntriesByType('resource').some(({name}) => /leaves=9/.test(name))")
    assert page.text("#leaves-value") == "9 of 9"
    page.find("#leaves").send_keys(LEFT)
    page.until("performance.getEntriesByType('resource').some(({name}) => /leaves=8/.test(name))")


def test_the_number_of_results_can_be_chosen(page: Page) -> None:
    page.type("red")
    page.answered("8 nearest")
    page.find("#k").send_keys("12")
    page.answered("12 nearest")
    assert len(page.texts(".card")) == 12


def test_the_address_keeps_the_question(page: Page) -> None:
    page.type("green ring")
    page.find("#leaves").send_keys(END)
    page.until("location.search.includes('leaves=9')")
    page.open(page.run("return location.search"))
    page.answered("8 nearest to “green ring”")
    assert page.run("return document.getElementById('box').value") == "green ring"
    assert page.text("#leaves-value") == "9 of 9"


def test_a_setting_that_moves_while_one_types_loses_no_letter(page: Page) -> None:
    page.run(
        "for (const [id, value] of [['box', 'blue ring'], ['leaves', 9]]) {"
        "  const field = document.getElementById(id);"
        "  field.value = value;"
        "  field.dispatchEvent(new Event('input', { bubbles: true }));"
        "}"
    )
    page.answered("“blue ring”")
    assert "leaves=9" in page.asked()[-1]


@pytest.mark.parametrize("query", ["?k=x&leaves=x", "?k=0&leaves=-1", "?k=9999&leaves=9999", "?q="])
def test_an_address_of_nonsense_is_set_right(page: Page, query: str) -> None:
    page.open(query)
    page.type("red")
    page.answered("8 nearest")


def test_the_page_begins_with_examples_and_some_of_what_is_there(page: Page) -> None:
    assert page.find("#start").is_displayed()
    assert page.text("#status") == "12 of 96, to begin with"
    assert len(page.texts(".card")) == 12
    examples = page.texts("#examples button")
    page.find("#examples button").click()
    page.answered(f"“{examples[0]}”")
    assert not page.find("#start").is_displayed()
    page.type("x")
    page.press("\ue003")  # backspace: an empty box is the beginning again
    page.until("!document.getElementById('start').hidden")


# ---- asking with pictures ----------------------------------------------------------------------


def test_a_dropped_picture_finds_its_likes(page: Page, gallery: Gallery) -> None:
    """The search goes on with other settings, and ends when the picture is taken away."""
    page.drop(gallery.folder / "blue_ring_00.png")
    page.answered("8 nearest to the picture blue_ring_00.png")
    assert page.text("#chip-name") == "blue_ring_00.png"
    assert page.find("#chip").is_displayed()
    assert page.texts("#timings dt")[0] == "decode"
    assert not page.find("#drop").is_displayed()
    page.find("#leaves").send_keys(END)
    page.until("performance.getEntriesByType('resource').some(({name}) => /leaves=9/.test(name))")
    page.until("document.getElementById('results').getAttribute('aria-busy') === 'false'")
    assert "blue_ring_00.png" in page.texts(".card .words")
    page.find("#chip").click()
    page.until("!document.getElementById('start').hidden")
    assert page.focus() == "box"


def test_while_a_picture_is_in_the_air_the_page_says_what_to_do(
    page: Page, gallery: Gallery
) -> None:
    data = {"items": [], "files": [str(gallery.folder / gallery.names[0])], "dragOperationsMask": 1}
    enter = {"type": "dragEnter", "x": 300, "y": 300, "data": data}
    page.driver.execute_cdp_cmd("Input.dispatchDragEvent", enter)
    page.driver.execute_cdp_cmd("Input.dispatchDragEvent", enter | {"type": "dragOver"})
    page.until("!document.getElementById('drop').hidden")
    page.driver.execute_cdp_cmd("Input.dispatchDragEvent", enter | {"type": "dragCancel"})
    page.until("document.getElementById('drop').hidden")


def test_a_picture_can_be_chosen_as_a_file(page: Page, gallery: Gallery) -> None:
    page.find("#file").send_keys(str(gallery.folder / "red_cross_01.png"))
    page.answered("the picture red_cross_01.png")


def test_a_picture_can_be_pasted(page: Page) -> None:
    """One of the page's own stands in for one of the clipboard."""
    page.driver.execute_async_script(
        "const [done] = arguments;"
        "fetch(document.querySelector('.card img').src).then((answer) => answer.blob())"
        ".then((blob) => {"
        "  const clipboardData = new DataTransfer();"
        "  clipboardData.items.add(new File([blob], 'pasted.png', { type: blob.type }));"
        "  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData }));"
        "  done();"
        "})"
    )
    page.answered("the picture pasted.png")


def test_a_result_finds_its_likes(page: Page) -> None:
    name = page.texts(".card .words")[3]
    page.run("document.querySelectorAll('.card')[3].click()")
    page.find("#similar").click()
    page.answered(f"the picture {name}")
    assert not page.find("#viewer").is_displayed()


def test_typing_takes_the_place_of_a_picture(page: Page, gallery: Gallery) -> None:
    page.drop(gallery.folder / gallery.names[0])
    page.answered("the picture")
    page.type("violet")
    page.answered("“violet”")
    assert not page.find("#chip").is_displayed()


def test_a_searcher_without_pictures_says_so(driver: Any, gallery: Gallery) -> None:
    with served([gallery.searcher]) as (address, _):
        page = Page(driver, address).open()
        assert not page.find("#choose").is_displayed()
        page.drop(gallery.folder / gallery.names[0])
        page.until("!document.getElementById('error').hidden")
        assert page.text("#error") == (
            "This searcher takes no pictures: start it with --image-embedder."
        )
        page.type("red")
        page.answered("24 nearest")
        assert page.texts("#results img") == []
        assert page.console() == []


def test_a_searcher_of_pictures_has_no_box(driver: Any, gallery: Gallery) -> None:
    with served([gallery.image_searcher, "--images", gallery.folder]) as (address, _):
        page = Page(driver, address).open("?q=red")
        assert not page.find("#box").is_displayed()
        page.drop(gallery.folder / "green_square_02.png")
        page.answered("24 nearest to the picture green_square_02.png")
        assert page.console() == []


# ---- keys --------------------------------------------------------------------------------------


def test_all_of_it_can_be_done_with_keys(page: Page) -> None:
    page.run("document.activeElement.blur()")
    page.press("/")
    assert page.focus() == "box"
    page.press("red circle")
    page.answered("“red circle”")
    names = page.texts(".card .words")
    columns = page.run(
        "const tops = [...document.querySelectorAll('.card')].map((each) => each.offsetTop);"
        "return tops.filter((top) => top === tops[0]).length"
    )
    assert 1 < columns < 8
    page.press(DOWN)
    assert page.focus() == names[0]
    page.press(RIGHT)
    assert page.focus() == names[1]
    page.press(DOWN)
    assert page.focus() == names[min(1 + columns, 7)]
    page.press(END, RIGHT)
    assert page.focus() == names[7]
    page.press(LEFT, ENTER)
    page.until("document.getElementById('viewer').open")
    assert page.text("#viewer-words") == names[6]
    assert page.text("#viewer-facts").startswith("7 of 8 · row ")
    page.press(RIGHT)
    assert page.text("#viewer-words") == names[7]
    page.press(RIGHT, LEFT, LEFT)
    assert page.text("#viewer-words") == names[5]
    page.press(ESCAPE)
    page.until("!document.getElementById('viewer').open")
    assert page.focus() == names[5]
    page.press(UP, UP)
    assert page.focus() == "box"


def test_a_slash_may_be_searched_for(page: Page) -> None:
    page.type("red/circle")
    page.answered("“red/circle”")


def test_what_has_the_focus_is_seen(page: Page) -> None:
    """A ring of some pixels around whatever Tab leads to."""
    page.type("red")
    page.answered("“red”")
    seen = set()
    assert (
        page.run("return getComputedStyle(document.querySelector('.field')).outlineStyle") != "none"
    )
    for _ in range(4):
        page.press(TAB)
        seen.add(page.run("return document.activeElement.id || document.activeElement.className"))
        ring = "const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);"
        style, width = page.run(f"{ring} return [outlineStyle, outlineWidth]")
        assert style != "none"
        assert float(width.removesuffix("px")) >= 2
    assert seen == {"choose", "leaves", "k", "card"}


def test_everything_has_a_name_for_those_who_listen(page: Page) -> None:
    page.type("red")
    page.answered("“red”")
    page.run("document.querySelector('.card').click()")
    page.press(ESCAPE)
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = {"button", "searchbox", "slider", "combobox", "search", "listitem", "status"}
    roles: dict[str, list[str]] = {}
    for node in tree:
        role = node.get("role", {}).get("value")
        roles.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    for role in ("button", "searchbox", "slider", "combobox"):
        assert roles[role]
        assert all(roles[role]), (role, roles[role])
    assert named - set(roles) == set()
    live = page.run("return document.getElementById('status').getAttribute('role')")
    assert live == "status"
    assert page.run("return document.getElementById('error').getAttribute('role')") == "alert"


# ---- eyes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(page: Page, scheme: str) -> None:
    """A contrast of 4.5 at least, which WCAG asks of text."""
    page.scheme(scheme)
    page.type("red")
    page.answered("“red”")
    pairs = page.run(
        "const style = getComputedStyle(document.documentElement);"
        "const colour = (name) => style.getPropertyValue(`--${name}`).trim();"
        "return [['ink','ground'],['ink','raised'],['ink','sunken'],['quiet','ground'],"
        "['quiet','raised'],['bad','bad-ground'],['on-accent','accent']]"
        ".map((pair) => pair.map(colour))"
    )
    for pair in pairs:
        lighter, darker = sorted(map(luminance, pair), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, pair
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 384) == (scheme == "light")


def luminance(colour: str) -> float:
    """As WCAG defines it, of "#rrggbb"."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("query", ["", "?q=red+circle", "?q=odd"])
def test_nothing_is_cut_off_at_360_pixels(page: Page, gallery: Gallery, query: str) -> None:
    page.size(360, 740)
    page.open(query)
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    outside = page.run(
        "return [...document.querySelectorAll('header *, main *')].filter((each) => {"
        "  const { left, right, width } = each.getBoundingClientRect();"
        "  return width && !each.closest('.unseen') && (left < 0 || right > innerWidth);"
        "}).map((each) => each.outerHTML)"
    )
    assert outside == []
    page.drop(gallery.folder / gallery.names[0])
    page.answered("the picture")
    page.type("blue")  # there is still room for that beside the picture
    page.answered("“blue”")
    page.run("document.querySelector('.card').click()")
    box = page.find("#viewer").rect
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


# ---- hostile names -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_a_hostile_question_is_shown_and_not_run(page: Page, text: str) -> None:
    page.type(text)
    page.answered(f"“{text}”")
    assert_inert(page)


def test_hostile_metadata_are_shown_and_not_run(page: Page) -> None:
    page.type("odd")
    page.answered("“odd”")
    assert sorted(page.texts(".card .words")[:6]) == sorted(HOSTILE)
    for place in range(6):
        page.run("document.querySelectorAll('.card')[arguments[0]].click()", place)
        assert page.text("#viewer-words") in HOSTILE
        page.press(ESCAPE)
    assert_inert(page)


def test_a_hostile_file_name_is_shown_and_not_run(page: Page, tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    try:
        draw("red", "ring", 0).save(tmp_path / name)
    except OSError:
        pytest.skip("no file may be called so here")
    page.drop(tmp_path / name)
    page.answered(f"the picture {name}")
    assert page.text("#chip-name") == name
    assert_inert(page)


def test_the_policy_stops_what_slips_through(page: Page) -> None:
    """Were there a hole, the browser would close it: markup from text is refused altogether."""
    refused = page.run(
        "const refused = (doing) => { try { doing(); return false; } catch { return true; } };"
        "const text = '<img src=x onerror=alert(1)>', it = document.createElement('p');"
        "return [() => (document.body.innerHTML = text), () => (it.outerHTML = text),"
        "  () => document.write(text), () => it.insertAdjacentHTML('beforeend', text)].map(refused)"
    )
    assert refused == [True] * 4
    assert_inert(page)
    assert all("Trusted" in line or "Content Security" in line for line in page.console())


def assert_inert(page: Page) -> None:
    """No window has opened, and no element has come that the page does not make."""
    from selenium.common.exceptions import NoAlertPresentException  # noqa: PLC0415

    with pytest.raises(NoAlertPresentException):
        _ = page.driver.switch_to.alert.text
    made = page.run(
        "return [...document.querySelectorAll('main script, main svg, main a, main [onerror],"
        ' main [onload], main img:not([src^="/images/"]), header img[src=x]\')].length'
    )
    assert made == 0


# ---- what goes wrong ---------------------------------------------------------------------------


def test_what_is_no_picture_is_told_of_in_a_sentence(
    driver: Any, address: str, tmp_path: Path
) -> None:
    """And the page goes on."""
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    page = Page(driver, address).open()
    page.drop(tmp_path / "notes.txt")
    page.until("!document.getElementById('error').hidden")
    assert page.text("#error").startswith("what was sent must be a picture")
    page.until("document.getElementById('chip-picture').hidden")
    assert all("400" in line for line in page.console())
    page.type("red")
    page.answered("“red”")
    assert not page.find("#error").is_displayed()


def test_a_picture_that_is_too_large_is_not_sent(page: Page, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(bytes(20_000_001))
    page.drop(tmp_path / "large.png")
    page.until("!document.getElementById('error').hidden")
    assert page.text("#error") == "The picture must have at most 20 MB."
    assert page.asked() == []


def test_a_server_that_is_gone_is_told_of_and_found_again(driver: Any, gallery: Gallery) -> None:
    with served([gallery.searcher, "--images", gallery.folder]) as (address, process):
        page = Page(driver, address).open()
        page.type("red")
        page.answered("“red”")
        process.terminate()
        process.wait()
    page.type("blue")
    page.until("!document.getElementById('error').hidden")
    sentence = "The server does not answer: is “scannlite serve” still running?"
    assert page.text("#error") == sentence
    assert page.texts(".card") != []
    port = address.rsplit(":", 1)[1].strip("/")
    assert all(f":{port}/" in line and "ERR_CONNECTION_REFUSED" in line for line in page.console())
    with served([gallery.searcher, "--images", gallery.folder, "--port", port]):
        page.find("#box").send_keys(ENTER)
        page.answered("“blue”")
        assert not page.find("#error").is_displayed()
