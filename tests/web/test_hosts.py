"""A page of the internet that has its name point here is not answered."""

from __future__ import annotations

import socket

import pytest

from scannlite.web.hosts import Hosts, reached_at

EVERYWHERE = ["0.0.0.0", "::", ""]  # noqa: S104 - nothing listens here
LOCAL = ["localhost", "localhost:8000", "LocalHost:1", "127.0.0.1:8000", "[::1]:8000", "[::1]"]
FOREIGN = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "localhost:8000@evil.example",
    "localhost:evil",
    "localhost, evil.example",
    "localhost.",
    "[::1].evil.example",
    "[::1",
    "::1",
    "",
    ":8000",
    "192.168.0.7:8000",
    "0.0.0.0:8000",
    "\xff",
]


@pytest.mark.parametrize("header", LOCAL)
def test_this_machine_is_asked_by_its_own_names(header: str) -> None:
    assert Hosts().allow(header)
    assert Hosts.of("127.0.0.1").allow(header)
    assert Hosts.of(EVERYWHERE[0]).allow(header)


@pytest.mark.parametrize("header", FOREIGN)
def test_other_names_are_refused(header: str) -> None:
    assert not Hosts().allow(header)
    assert not Hosts.of("127.0.0.1").allow(header)


@pytest.mark.parametrize(
    ("host", "header"),
    [
        ("box.home.example", "box.home.example:8000"),
        ("Box.Home.example", "box.home.example"),
        ("192.168.0.7", "192.168.0.7:8000"),
        ("fe80::7", "[fe80::7]:8000"),
    ],
)
def test_a_given_host_is_a_name_too(host: str, header: str) -> None:
    assert Hosts.of(host).allow(header)
    assert not Hosts.of(host).allow("evil.example")


@pytest.mark.parametrize("host", EVERYWHERE)
def test_on_all_addresses_any_address_is_good_but_not_any_name(host: str) -> None:
    hosts = Hosts.of(host)
    assert hosts.allow("192.168.0.7:8000")
    assert hosts.allow("[fe80::7]:8000")
    assert hosts.allow(f"{socket.gethostname()}:8000")
    assert not hosts.allow("evil.example:8000")
    assert not hosts.allow("[evil.example]:8000")
    assert not hosts.allow("")


def test_what_listens_everywhere_is_reached_here() -> None:
    assert [reached_at(host) for host in EVERYWHERE] == ["127.0.0.1", "::1", "127.0.0.1"]
    assert reached_at("box.home.example") == "box.home.example"
