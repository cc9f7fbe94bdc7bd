"""Under which names a server may be asked for."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

__all__ = ["Hosts", "bracketed", "reached_at"]

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
# What listens on all addresses, and which of those this machine itself can use.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}  # noqa: S104
_HEADER = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*)(?::\d+)?")


@dataclass(frozen=True)
class Hosts:
    """Names that a ``Host`` header may have.

    A page of the internet can have its own name point to this machine, and then ask for what it
    likes: but the header still has that name.

    Attributes:
        names: in lower case, without port.
        any_address: whether addresses in digits are good too. No name points there, so they are.
    """

    names: frozenset[str] = frozenset(_LOCAL)
    any_address: bool = False

    @classmethod
    def of(cls, host: str) -> Hosts:
        """Those of a server that listens on a host."""
        if host in _EVERYWHERE:
            return cls(frozenset((*_LOCAL, socket.gethostname().lower())), any_address=True)
        return cls(frozenset((*_LOCAL, bracketed(host).lower())))

    def allow(self, header: str) -> bool:
        """Whether a ``Host`` header has one of the names, with whatever port."""
        matched = _HEADER.fullmatch(header.lower())
        if matched is None:
            return False
        name = matched["name"]
        return name in self.names or (self.any_address and _is_address(name))


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def reached_at(host: str) -> str:
    """Where this machine finds what listens on a host."""
    return _EVERYWHERE.get(host, host)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
