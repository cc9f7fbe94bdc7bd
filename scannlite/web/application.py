"""The page and its answers over HTTP: an ASGI application."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scannlite.engine.door import as_whole
from scannlite.errors import InvalidInput, InvalidType, ScannliteError
from scannlite.extras import imported
from scannlite.web.examples import examples_in
from scannlite.web.guard import Application, Guard
from scannlite.web.hosts import Hosts
from scannlite.web.search import Found, Result, Search, Wanted

__all__ = ["MOST_BYTES", "MOST_RESULTS", "Page", "application"]

MOST_BYTES = 20_000_000  # of a picture to ask with
MOST_RESULTS = 1_000
_SHOWN, _READ = 12, 200  # rows to begin with, and those that examples are drawn from
_FILES = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# A picture's address has a word of this run in it, so one of another run is never mistaken for it.
_KEPT = {"cache-control": "private, max-age=3600, immutable"}


@dataclass(frozen=True)
class Page:
    """How the page begins.

    Attributes:
        title: what is searched, for people.
        k: results until another number is chosen.
        examples: questions to click; None for some drawn from metadata.
    """

    title: str
    k: int = 24
    examples: Sequence[str] | None = None

    def __post_init__(self) -> None:
        as_whole("k", self.k, 1, MOST_RESULTS)


def application(search: Search, page: Page, hosts: Hosts | None = None) -> Application:
    """The page of a search, for any ASGI server.

    Args:
        search: what it asks.
        page: how it begins.
        hosts: the names it may be asked for under; None for this machine's own.

    Raises:
        InvalidInput: ``page.k`` is out of range.
        MissingExtra: Starlette is not installed.
    """
    route = _starlette("routing").Route
    desk = _Desk(search, page)
    files = [path for path in _FILES.iterdir() if path.suffix in _TYPES]
    routes = [
        route("/api/info", desk.info),
        route("/api/search", desk.search),
        route("/api/search-image", desk.search_image, methods=["POST"]),
        route(f"/images/{desk.run}/{{row:int}}", desk.picture),
        route("/", desk.file(_FILES / "index.html")),
        *(route(f"/{path.name}", desk.file(path)) for path in files),
    ]
    handlers = {
        _starlette("exceptions").HTTPException: desk.refuse,
        InvalidInput: desk.refuse_input,
        InvalidType: desk.refuse_input,
        ScannliteError: desk.fail,
        _starlette("requests").ClientDisconnect: desk.refuse_input,
        Exception: desk.break_down,
    }
    answering = _starlette("applications").Starlette(routes=routes, exception_handlers=handlers)
    answering.router.redirect_slashes = False
    return Guard(answering, hosts or Hosts())


class _Desk:
    """What is done for each address: at once if that takes microseconds, else in a thread.

    Handing work to a thread and back takes longer than a quick search, and on a busy machine
    milliseconds longer; but while a slow one is at work, the rest of the page goes on.
    """

    def __init__(self, search: Search, page: Page) -> None:
        self.run = secrets.token_hex(8)
        self._search, self._page = search, page
        self._response = _starlette("responses").Response
        self._wrong = _starlette("exceptions").HTTPException
        self._in_thread = _starlette("concurrency").run_in_threadpool

    # --- answers ---------------------------------------------------------------------------------

    def info(self, request: Any) -> Any:  # noqa: ARG002
        """What there is to search, and how."""
        search, page = self._search, self._page
        options = search.index.options
        examples = page.examples
        if examples is None and "text" in search.kinds:
            examples = examples_in(result.metadata for result in search.some(_READ))
        facts = {
            "title": page.title,
            "takes": search.kinds,
            "rows": len(search.index),
            "pictures": search.pictures,
            "distance_measure": options.distance_measure,
            "leaves": options.tree and options.tree.num_leaves,
            "leaves_to_search": options.tree and options.tree.num_leaves_to_search,
            "k": page.k,
            "most_results": MOST_RESULTS,
            "most_bytes": MOST_BYTES,
            "examples": list(examples or ()),
            "some": [self._facts(result) for result in search.some(_SHOWN)],
        }
        return self._json(facts)

    async def search(self, request: Any) -> Any:
        """The rows nearest to a text."""
        asked = request.query_params.get("q", ""), self._wanted(request)
        if self._search.quick:
            return self._found(self._search.by_text(*asked))
        return self._found(await self._in_thread(self._search.by_text, *asked))

    async def search_image(self, request: Any) -> Any:
        """The rows nearest to the picture that the body is."""
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > MOST_BYTES:
                raise self._wrong(413, f"the picture must have at most {MOST_BYTES:,} bytes.")
        wanted = self._wanted(request)
        found = await self._in_thread(self._search.by_picture, bytes(content), wanted)
        return self._found(found)

    async def picture(self, request: Any) -> Any:
        """The picture of a row, read here: that takes less than handing it to a thread."""
        row = request.path_params["row"]
        try:
            found = self._search.picture(row)
        except OSError:
            found = None
        if found is None:
            raise self._wrong(404, f"row {row} has no picture.")
        content, media_type = found
        return self._response(content, media_type=media_type, headers=_KEPT)

    def file(self, path: Path) -> Any:
        """An endpoint that gives a file of the page."""
        content, media_type = path.read_bytes(), _TYPES[path.suffix]

        async def give(request: Any) -> Any:  # noqa: ARG001
            return self._response(content, media_type=media_type)

        return give

    # --- refusals --------------------------------------------------------------------------------

    def refuse(self, request: Any, error: Any) -> Any:
        """What HTTP itself has a number for."""
        sentence = (
            error.detail if error.detail.endswith(".") else f"{error.detail}: {request.url.path}."
        )
        return self._json({"error": sentence}, error.status_code, error.headers)

    def refuse_input(self, request: Any, error: Exception) -> Any:  # noqa: ARG002
        """A question that cannot be answered."""
        return self._json({"error": str(error)}, 400)

    def fail(self, request: Any, error: Exception) -> Any:  # noqa: ARG002
        """A question that is good, and that a model or library failed on."""
        return self._json({"error": str(error)}, 500)

    def break_down(self, request: Any, error: Exception) -> Any:  # noqa: ARG002
        """Something nobody thought of; the server's log has more."""
        return self._json({"error": f"the server failed: {type(error).__name__}."}, 500)

    # --- words -----------------------------------------------------------------------------------

    def _wanted(self, request: Any) -> Wanted:
        tree = self._search.index.options.tree
        k = _whole(request, "k", MOST_RESULTS)
        leaves = _whole(request, "leaves", None if tree is None else tree.num_leaves)
        return Wanted(self._page.k if k is None else k, leaves)

    def _found(self, found: Found) -> Any:
        facts = {"results": [self._facts(result) for result in found.results]}
        timing = ", ".join(f"{name};dur={ms:.3f}" for name, ms in found.ms.items())
        return self._json(facts, headers={"server-timing": timing})

    def _facts(self, result: Result) -> dict[str, Any]:
        return {
            "row": result.row,
            "metadata": result.metadata,
            "picture": f"/images/{self.run}/{result.row}" if result.picture else None,
            "distance": result.distance,
        }

    def _json(self, facts: Any, status: int = 200, headers: Any = None) -> Any:
        content = json.dumps(facts, allow_nan=False)  # in ASCII: metadata may be no UTF-8
        return self._response(content, status, headers, "application/json")


def _starlette(part: str) -> Any:
    return imported(f"starlette.{part}", "web", "the search page")


def _whole(request: Any, name: str, most: int | None = None) -> int | None:
    """A whole number of the question, or None where it does not say."""
    said = request.query_params.get(name)
    if said is None:
        return None
    try:
        number = int(said)
    except ValueError:
        raise InvalidType(f"{name} must be a whole number, got {said!r}.") from None
    return as_whole(name, number, 1, most)
