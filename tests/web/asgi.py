"""Requests to an ASGI application without a server or client, which would tidy up their paths."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

__all__ = ["Answer", "ask", "needs_web"]

needs_web = pytest.mark.skipif(
    importlib.util.find_spec("starlette") is None or importlib.util.find_spec("uvicorn") is None,
    reason="THE PAGE WAS NOT ASKED: starlette or uvicorn is not installed",
)


@dataclass(frozen=True)
class Answer:
    """What came back; of headers that are there twice, both."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


def ask(
    application: Any,
    path: str,
    query: str = "",
    *,
    method: str = "GET",
    hosts: Iterable[str] = ("localhost:8000",),
    body: Iterable[bytes] = (),
    leaves: bool = False,
) -> Answer:
    """One request: ``path`` as servers give it, decoded once, and the body in parts.

    Who leaves does so when the body is sent in part.
    """
    parts = iter(body)
    received: list[Any] = []

    async def receive() -> dict[str, Any]:
        for part in parts:
            return {"type": "http.request", "body": part, "more_body": True}
        if leaves:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        received.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(b"host", host.encode("latin-1")) for host in hosts],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    asyncio.run(application(scope, receive, send))
    start, *rest = received
    headers: dict[str, str] = {}
    for name, value in start["headers"]:
        before = headers.get(name.decode())
        headers[name.decode()] = value.decode() if before is None else f"{before}, {value.decode()}"
    return Answer(start["status"], headers, b"".join(part["body"] for part in rest))
