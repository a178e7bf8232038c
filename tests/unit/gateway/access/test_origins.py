"""From where the gateway may be talked to."""

import pytest

from parley.errors import UserError
from services.gateway.access import is_allowed, require_loopback
from services.gateway.settings import GatewaySettings

ALLOWED = ("https://chat.example.com",)


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "localhost"])
def test_a_program_of_this_machine_may(host: str) -> None:
    assert is_allowed(host, None, ())


def test_the_gateways_own_page_may() -> None:
    assert is_allowed("127.0.0.1:8080", "http://127.0.0.1:8080", ())


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:9999",
        "http://localhost:8080",
        "null",
        "",
        "http://[",
        "https://chat.example.com.evil.example",
    ],
)
def test_another_page_may_not(origin: str) -> None:
    assert not is_allowed("127.0.0.1:8080", origin, ALLOWED)


def test_a_page_that_is_named_in_the_settings_may() -> None:
    assert is_allowed("127.0.0.1:8080", "https://chat.example.com", ALLOWED)
    assert is_allowed("chat.example.com", "https://chat.example.com", ALLOWED)


@pytest.mark.parametrize("host", ["evil.example:8080", "", "[", "127.0.0.1.evil.example"])
def test_a_foreign_name_that_leads_here_may_not_even_read(host: str) -> None:
    assert not is_allowed(host, None, ALLOWED)
    assert not is_allowed(host, f"http://{host}", ALLOWED)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::", "example.com"])  # noqa: S104
def test_nobody_listens_for_other_machines(host: str) -> None:
    with pytest.raises(UserError, match="this machine only"):
        require_loopback(GatewaySettings(http_host=host))
    require_loopback(GatewaySettings(http_host="127.0.0.1"))


def test_an_operator_may_vouch_for_another_address() -> None:
    require_loopback(GatewaySettings(http_host="0.0.0.0", gateway_open_to_anybody=True))  # noqa: S104


def test_origins_are_read_from_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_GATEWAY_ORIGINS", "https://a.example, http://b.example:81/")
    assert GatewaySettings().gateway_origins == ("https://a.example", "http://b.example:81")


@pytest.mark.parametrize("origin", ["a.example", "*", "https://a.example/path"])
def test_an_origin_that_is_none_is_refused_by_its_settings_name(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_GATEWAY_ORIGINS", origin)
    with pytest.raises(UserError, match="PARLEY_GATEWAY_ORIGINS"):
        GatewaySettings.load()


def test_a_misspelt_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_GATEWAY_ORIGIN", "https://a.example")
    with pytest.raises(UserError, match="PARLEY_GATEWAY_ORIGIN is not a setting"):
        GatewaySettings.load()


def test_with_access_control_the_gateway_may_listen_for_other_machines() -> None:
    require_loopback(GatewaySettings(http_host="0.0.0.0", gateway_access="on"))  # noqa: S104


def test_with_access_control_the_gateway_may_be_called_by_any_name() -> None:
    assert is_allowed("gateway:8080", None, (), any_host=True)
    assert not is_allowed("gateway:8080", "http://evil.example", (), any_host=True)
