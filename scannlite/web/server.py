"""What listens, until Ctrl-C."""

from __future__ import annotations

import socket

from scannlite.engine.door import as_whole
from scannlite.errors import InvalidInput
from scannlite.extras import imported
from scannlite.web.guard import Application
from scannlite.web.hosts import bracketed, reached_at

__all__ = ["Listener"]

_MOST_PORT = 65_535
_PATIENCE = 1  # seconds for answers under way at Ctrl-C


class Listener:
    """An open door: who comes from now on waits until ``run``. A ``with`` block closes it.

    Args:
        host: name or address of this machine to listen on.
        port: 0 for any that is free.

    Raises:
        InvalidInput: host and port cannot be listened on.
        MissingExtra: Uvicorn is not installed.
    """

    def __init__(self, host: str, port: int) -> None:
        as_whole("port", port, 0, _MOST_PORT)
        self._uvicorn = imported("uvicorn", "web", "the search page")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise InvalidInput(
                f"host and port must be of this machine and free, got {bracketed(host)}:{port}: "
                f"{error.strerror}."
            ) from error
        # Else answers wait 40 ms between head and body. Connections inherit it; asyncio would set
        # it for them, but not where the listening socket names no protocol, as this one.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = self._socket.getsockname()[1]
        self.address = f"http://{bracketed(reached_at(host))}:{port}/"

    def __enter__(self) -> Listener:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def run(self, application: Application) -> None:
        """Answer until Ctrl-C.

        Raises:
            KeyboardInterrupt: that was it.
        """
        config = self._uvicorn.Config(
            application,
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
        self._uvicorn.Server(config).run(sockets=[self._socket])
