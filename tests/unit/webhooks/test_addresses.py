"""Requests go to public addresses by TLS, and elsewhere only where a setting says so."""

from ipaddress import ip_address, ip_network

import pytest

from parley.errors import UserError
from parley.webhooks.addresses import ForbiddenAddress, check, forbidden_kind, target_of

HERE = [ip_network("127.0.0.0/8")]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 - nobody listens there
        ("::", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("fd00::1", "private"),
        ("fec0::1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("100.64.0.1", "reserved"),
        ("192.0.2.1", "private"),
        ("198.18.0.1", "private"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("2001:db8::1", "private"),
        # IPv4 in disguise.
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:93.184.216.34", "translated"),
        ("2002:7f00:1::", "loopback"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("64:ff9b:1::7f00:1", "loopback"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
    ],
)
def test_what_is_not_public_is_refused_in_whatever_form(address: str, kind: str) -> None:
    assert forbidden_kind(ip_address(address)) == kind
    with pytest.raises(ForbiddenAddress, match=kind):
        check(target_of("https://example.com/"), [address], [])


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_asked(address: str) -> None:
    assert check(target_of("https://example.com/"), [address], []) == address


def test_one_address_that_is_not_public_is_enough() -> None:
    with pytest.raises(ForbiddenAddress, match="loopback"):
        check(target_of("https://example.com/"), ["8.8.8.8", "127.0.0.1"], [])
    with pytest.raises(ForbiddenAddress, match="no address"):
        check(target_of("https://example.com/"), [], [])


def test_a_setting_allows_networks_and_http_within_them_alone() -> None:
    assert check(target_of("http://localhost:1/"), ["127.0.0.1"], HERE) == "127.0.0.1"
    with pytest.raises(ForbiddenAddress, match="private"):
        check(target_of("https://example.com/"), ["10.0.0.1"], HERE)
    with pytest.raises(ForbiddenAddress, match="loopback"):
        check(target_of("https://example.com/"), ["::1"], HERE)
    with pytest.raises(ForbiddenAddress, match="http://"):
        check(target_of("http://example.com/"), ["8.8.8.8"], HERE)


def test_a_url_says_where_to() -> None:
    found = target_of("https://example.com/in?a=1")
    assert (found.host, found.port, found.path, found.is_tls) == (
        "example.com",
        443,
        "/in?a=1",
        True,
    )
    assert found.authority == "example.com"
    assert target_of("https://example.com:8443").authority == "example.com:8443"
    assert target_of("http://[::1]:80/x").authority == "[::1]"
    assert target_of("https://EXAMPLE.com").path == "/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/in",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///in",
        "https://user:secret@example.com/",
        "https://user@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nX-Evil: 1",
        "https://bücher.example/",
        "https://[::1/",
        "https://example.com/" + "a" * 2_000,
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        target_of(url)
