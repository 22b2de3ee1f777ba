"""Addresses that customers may name: a table of our own, since the library that judges them is young.

Nothing here connects to anything but 127.0.0.1: addresses are classified, names are looked up in a made-up list.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from saas.security import egress

FINE = [
    "https://example.com",
    "https://example.com/",
    "https://example.com/a/b?c=d&e=%20",
    "https://example.com:443/x",
    "https://example.com:8443/x",
    "https://example.com./x",
    "https://xn--bcher-kva.example/x",
    "https://EXAMPLE.com/x",
    "https://93.184.216.34/x",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/x",
]
REFUSED = {
    "not https": ["http://example.com/", "ftp://example.com/", "gopher://example.com:443/", "HTTPS:example.com"],
    "not a URL": ["", "x", "//example.com/", "https:///x", "https://", "https:/example.com", "javascript:alert(1)"],
    "odd characters": [
        *("https://exa mple.com/", "https://example.com/\t", "https://example.com/\r\nHost: x", "https://example.com/#x"),
        *("https://example.com\\@127.0.0.1/", "https://bücher.example/", "https://①②⑦.0.0.1/", "https://example。com/"),
        *("https://example.com/ü", "https://example.com/\x00"),
    ],
    "user and password": ["https://a@example.com/", "https://a:b@example.com/", "https://example.com@127.0.0.1/"],
    "ports": [f"https://example.com:{port}/" for port in (0, 22, 25, 80, 3306, 5432, 6379, 8080, 65536, 99999)],
    "this machine": [
        *("https://127.0.0.1/", "https://127.255.255.254/", "https://[::1]/", "https://0.0.0.0/", "https://[::]/"),
        *("https://localhost/", "https://localhost./", "https://LOCALHOST/", "https://a.localhost/"),
    ],
    "other spellings of it": [
        *("https://127.1/", "https://127.0.1/", "https://0/", "https://2130706433/", "https://017700000001/"),
        *("https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f.1/", "https://0x7f000001/", "https://127.0.0.1./"),
        *("https://127.0.0.0x1/", "https://127.0.0.01/"),
    ],
    "private": [
        *("https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/"),
        *("https://100.64.0.1/", "https://[fc00::1]/", "https://[fd12:3456::1]/"),
    ],
    "link-local and metadata": [
        *("https://169.254.169.254/latest/meta-data/", "https://169.254.170.2/", "https://[fe80::1]/"),
        *("https://[fe80::1%25eth0]/", "https://[fd00:ec2::254]/", "https://metadata.google.internal/"),
        *("https://100.100.100.200/", "https://192.0.0.192/"),
    ],
    "IPv4 inside IPv6": [
        *("https://[::ffff:127.0.0.1]/", "https://[::ffff:a9fe:a9fe]/", "https://[::127.0.0.1]/"),
        *("https://[64:ff9b::a9fe:a9fe]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b:1::1]/"),
        *("https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::]/", "https://[2001:0:53aa:64c:0:7b:f5ff:fffe]/"),
    ],
    "reserved": [
        *("https://192.0.2.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://198.18.0.1/"),
        *("https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://192.88.99.1/"),
        *("https://[2001:db8::1]/", "https://[ff02::1]/"),
    ],
    "local names": [
        *("https://intranet/", "https://db/", "https://printer.local/", "https://x.internal/", "https://a.home.arpa/"),
        *("https://x.localdomain/", "https://nas.lan/"),
    ],
    "too long": ["https://example.com/" + "a" * 1000, f"https://{'a' * 64}.example.com/", f"https://{'a.' * 130}com/"],
}  # fmt: skip
# What names lead to when they are looked up, and must not be reached.
INSIDE = [
    *("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0"),  # noqa: S104 - an address to refuse
    *("192.0.0.192", "224.0.0.1", "::1", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1"),
    *("64:ff9b::a9fe:a9fe", "2002:7f00:1::"),
]


@pytest.fixture(autouse=True)
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The rules of production; loopback is back afterwards."""
    before = egress._loopback_allowed[0]
    egress.configure(allow_loopback=False)
    yield
    egress.configure(allow_loopback=before)


def answers(*addresses: str) -> Any:
    """A look-up that answers with these addresses, whatever the name."""

    def lookup(host: str, port: int, *arguments: Any) -> list[Any]:
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [
            (kinds[":" in a], socket.SOCK_STREAM, 6, "", (a, port, 0, 0) if ":" in a else (a, port))
            for a in addresses
        ]

    return lookup


@pytest.mark.parametrize("url", FINE)
def test_public_addresses_over_https_are_fine(url: str) -> None:
    egress.check_url(url)


@pytest.mark.parametrize(("kind", "url"), [(k, url) for k, urls in REFUSED.items() for url in urls])
def test_everything_else_is_refused_with_a_sentence(kind: str, url: str) -> None:
    with pytest.raises(egress.RefusedAddressError) as caught:
        egress.check_url(url)

    assert str(caught.value).endswith(".")
    assert len(url) < 20 or url not in str(caught.value)


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(egress, "lookup", answers(address))
    monkeypatch.setattr(socket, "socket", None)  # nothing may even be opened

    with pytest.raises(egress.RefusedAddressError):
        egress.connect("https://hooks.example.com/", 1)


def test_of_two_answers_one_inside_refuses_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress, "lookup", answers("93.184.216.34", "127.0.0.1"))
    monkeypatch.setattr(socket, "socket", None)

    with pytest.raises(egress.RefusedAddressError):
        egress.connect("https://hooks.example.com/", 1)


def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the second look-up would lead elsewhere, and there is none."""
    egress.configure(allow_loopback=True)
    asked: list[str] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

        def lookup(host: str, *arguments: Any) -> Any:
            asked.append(host)
            return answers("127.0.0.1" if len(asked) == 1 else "127.0.0.2")(host, port)

        monkeypatch.setattr(egress, "lookup", lookup)
        target, wire = egress.connect(f"http://127.0.0.1:{port}/", 1)
        with closing(wire):
            assert wire.getpeername() == ("127.0.0.1", port)
    assert (asked, target.host) == (["127.0.0.1"], "127.0.0.1")


class TestLoopbackForDevelopment:
    def test_only_the_setting_allows_it_and_only_by_address(self) -> None:
        for url in ("http://127.0.0.1:9999/x", "https://127.0.0.1:1/", "http://[::1]:80/"):
            with pytest.raises(egress.RefusedAddressError):
                egress.check_url(url)
        egress.configure(allow_loopback=True)
        for url in ("http://127.0.0.1:9999/x", "https://127.0.0.1:1/", "http://[::1]:80/"):
            egress.check_url(url)

    @pytest.mark.parametrize(
        "url",
        [
            *("http://example.com/", "http://localhost:5000/", "http://10.0.0.1/", "http://127.1/"),
            *("http://169.254.169.254/", "http://a:b@127.0.0.1/", "http://[::ffff:127.0.0.1]/"),
            *("https://example.com:9999/", "http://2130706433/", "http://0.0.0.0/"),
        ],
    )
    def test_nothing_else_is_let_through_by_it(self, url: str) -> None:
        egress.configure(allow_loopback=True)

        with pytest.raises(egress.RefusedAddressError):
            egress.check_url(url)
