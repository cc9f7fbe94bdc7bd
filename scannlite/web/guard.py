"""What stands before the application: whom it answers, and what browsers may do with answers."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from scannlite.web.hosts import Hosts

__all__ = ["Application", "Guard"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]
"""As ASGI wants it: called for each request with its scope, and two ways to talk."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_ALWAYS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
_NOT_KEPT = (b"cache-control", b"no-store")


class Guard:
    """An application that is asked for under allowed names only, and answers with care.

    Each answer says how browsers must restrict it, and in ``Server-Timing`` how long it took.

    Args:
        application: what answers.
        hosts: the names.
    """

    def __init__(self, application: Application, hosts: Hosts) -> None:
        self._application = application
        self._hosts = hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began = time.perf_counter()

        async def send_with_care(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _with_care(message["headers"], time.perf_counter() - began)
            await send(message)

        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and self._hosts.allow(hosts[0].decode("latin-1")):
            await self._application(scope, receive, send_with_care)
        else:
            await _refuse(hosts, send_with_care)


def _with_care(headers: list[tuple[bytes, bytes]], seconds: float) -> list[tuple[bytes, bytes]]:
    """Headers, and those that every answer has."""
    timing = (b"server-timing", b"total;dur=%.3f" % (1e3 * seconds))
    kept = any(name == _NOT_KEPT[0] for name, _ in headers)
    return [*headers, *_ALWAYS, timing, *([] if kept else [_NOT_KEPT])]


async def _refuse(hosts: list[bytes], send: Send) -> None:
    """To a request that was meant for somebody else."""
    came = b", ".join(hosts).decode("latin-1") or "none"
    error = (
        f"Host must be this machine's own name, as in the address it was started with, got {came}."
    )
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})
