"""Chromium without a window, and the page served by the command itself."""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Page", "chromium", "needs_chromium", "served"]

ROOT = Path(__file__).resolve().parents[2]
_BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
_DRIVER = shutil.which("chromedriver")
_MISSING = [
    name
    for name, found in {
        "chromium": _BROWSER,
        "chromedriver": _DRIVER,
        "selenium": importlib.util.find_spec("selenium"),
        "starlette": importlib.util.find_spec("starlette"),
        "uvicorn": importlib.util.find_spec("uvicorn"),
    }.items()
    if not found
]
needs_chromium = pytest.mark.skipif(
    bool(_MISSING), reason=f"THE PAGE WAS NOT SEEN IN A BROWSER: no {', '.join(_MISSING)} here"
)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # which root is not allowed
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--force-color-profile=srgb",
)


@contextmanager
def chromium(profile: Path, *flags: str) -> Iterator[Any]:
    """A browser that keeps what its console says.

    Args:
        profile: a folder of its own.
        flags: more of its command line.
    """
    from selenium import webdriver  # noqa: PLC0415 - not installed everywhere

    options = webdriver.ChromeOptions()
    options.binary_location = _BROWSER
    for flag in (*_FLAGS, f"--user-data-dir={profile}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(_DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def _heeds_ctrl_c() -> None:
    """What a shell runs in the background is told to ignore it, and so are the tests there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def served(words: Sequence[object]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of ``scannlite serve`` with these words, and its process."""
    command = [sys.executable, "-m", "scannlite", "serve", "--port", "0", *map(str, words)]
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heeds_ctrl_c if sys.platform != "win32" else None,  # noqa: PLW1509
    ) as process:
        try:
            lines = [process.stdout.readline().strip() for _ in range(2)]
            assert lines[1].startswith("http://"), process.stderr.read()
            yield lines[1], process
        finally:
            process.terminate()


class Page:
    """The search page in a browser, as a person sees and uses it."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver, self.address = driver, address

    def open(self, query: str = "") -> Page:
        """Load it, and wait until it has something to show."""
        self.driver.get("about:blank")
        self.console()
        self.driver.get(self.address + query)
        self.until("document.querySelector('.card, #error:not([hidden])')")
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        """What an expression or statement gives."""
        return self.driver.execute_script(script, *arguments)

    def until(self, condition: str, *arguments: Any) -> None:
        """Wait for an expression to be true."""
        from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

        wait = WebDriverWait(self.driver, 20, poll_frequency=0.01)
        wait.until(
            lambda driver: driver.execute_script(f"return !!({condition})", *arguments), condition
        )

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def texts(self, selector: str) -> list[str]:
        script = (
            "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        )
        return self.run(script, selector)

    def type(self, text: str) -> None:
        """Letter by letter, in place of what is there; no Enter."""
        self.find("#box").clear()
        self.find("#box").send_keys(text)

    def answered(self, text: str) -> None:
        """Wait for the answer to a text or to a picture of that name."""
        self.until("document.getElementById('status').textContent.includes(arguments[0])", text)

    def press(self, *keys: str) -> None:
        """Keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focus(self) -> Any:
        """The text of the result that has the focus, or the name of what else has it."""
        return self.run(
            "const it = document.activeElement;"
            "return it.querySelector('.words')?.textContent ?? (it.id || it.tagName)"
        )

    def drop(self, path: Path) -> None:
        """A file from the desktop, as the browser itself tells of it."""
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": 300, "y": 300, "data": data}
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def scheme(self, name: str) -> None:
        """``light`` or ``dark``, as the person's system is set."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def asked(self) -> list[str]:
        """Addresses of all questions since the page was opened."""
        script = "return performance.getEntriesByType('resource').map((each) => each.name)"
        return [name for name in self.run(script) if "/api/search" in name]

    def console(self) -> list[str]:
        """What the console has said since this was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
