"""Pictures of the search page, to be looked at: ``python -m tests.web.screenshots DIR``."""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from tests.web.browser import Page, chromium, served
from tests.web.gallery import HOSTILE, make_gallery

ENTER, ESCAPE, DOWN, RIGHT = "\ue007", "\ue00c", "\ue015", "\ue014"
WIDE, NARROW = (1280, 860), (360, 740)


def main() -> None:
    """Every state, light and dark, wide and narrow."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        gallery = make_gallery(home, copies=8, extra=tuple(HOSTILE))
        beside = ["--images", gallery.folder, "--image-embedder", gallery.image_embedder]
        with chromium(home / "profile") as driver:
            with served([gallery.searcher, *beside]) as (address, process):
                page = Page(driver, address)
                for scheme in ("light", "dark"):
                    page.scheme(scheme)
                    for name, size in (("wide", WIDE), ("narrow", NARROW)):
                        page.size(*size)
                        look(page, out, f"{scheme}-{name}", gallery.folder)
                process.terminate()
                process.wait()
                page.type("blue")
                page.until("!document.getElementById('error').hidden")
                shoot(page, out / "dark-narrow-error.png")
            with served([gallery.image_searcher, "--images", gallery.folder]) as (address, _):
                page = Page(driver, address).open()
                shoot(page, out / "dark-narrow-pictures-only.png")


def look(page: Page, out: Path, name: str, pictures: Path) -> None:
    """The states of one page."""
    page.open()
    shoot(page, out / f"{name}-empty.png")
    page.type("red circle")
    page.answered("“red circle”")
    page.press(DOWN, RIGHT)
    shoot(page, out / f"{name}-results.png")
    page.press(ENTER)
    shoot(page, out / f"{name}-large.png")
    page.press(ESCAPE)
    page.type("odd")
    page.answered("“odd”")
    shoot(page, out / f"{name}-text.png")
    page.drop(pictures / "blue_ring_00.png")
    page.answered("the picture")
    shoot(page, out / f"{name}-picture.png")
    page.drop(Path(__file__))
    page.until("!document.getElementById('error').hidden")
    shoot(page, out / f"{name}-error.png")


def shoot(page: Page, path: Path) -> None:
    """When all pictures in sight are there."""
    page.until(
        "[...document.querySelectorAll('.card img')].every((each) => each.complete"
        " || each.getBoundingClientRect().top > innerHeight)"
    )
    shot = page.driver.execute_cdp_cmd("Page.captureScreenshot", {})
    path.write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main()
