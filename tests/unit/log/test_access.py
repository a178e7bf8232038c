"""Clients of a secured Kafka: what they are given, and which settings do not go together."""

import ssl
from pathlib import Path

import pytest
from pydantic import SecretStr

from parley.errors import UserError
from parley.log.access import kafka_options
from parley.settings import Settings, kafka_variables


def secured(**changes: object) -> Settings:
    given: dict[str, object] = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_username": "parley-gateway",
        "kafka_password": SecretStr("hush"),
    }
    return Settings.model_validate({**given, **changes})


def test_without_security_clients_are_given_the_address() -> None:
    options = kafka_options(Settings(kafka_bootstrap="k:1"))
    assert options == {"bootstrap_servers": "k:1", "security_protocol": "PLAINTEXT"}


def test_a_secured_client_says_who_it_is_and_checks_the_brokers_name() -> None:
    options = kafka_options(secured())
    context = options.pop("ssl_context")
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == (
        "parley-gateway",
        "hush",
    )


def test_files_that_are_no_certificates_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(UserError, match="certificates for Kafka"):
        kafka_options(secured(kafka_ca_file=path))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PARLEY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "SASL_SSL needs PARLEY_KAFKA_USERNAME"),
        ({"PARLEY_KAFKA_PASSWORD": "hush"}, "which PLAINTEXT does not send"),
        ({"PARLEY_KAFKA_SECURITY_PROTOCOL": "TLS"}, "PARLEY_KAFKA_SECURITY_PROTOCOL is wrong"),
    ],
    ids=["no login", "login for nobody", "unknown"],
)
def test_settings_that_do_not_go_together_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARLEY_STATE_DIR", str(tmp_path))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=expected) as caught:
        Settings.load()
    assert "hush" not in str(caught.value)


def test_another_process_comes_to_the_same_kafka(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = secured(kafka_bootstrap="k:1", kafka_ca_file=Path("ca.pem"))
    monkeypatch.setenv("PARLEY_STATE_DIR", str(tmp_path))
    for name, value in kafka_variables(settings).items():
        monkeypatch.setenv(name, value)
    assert kafka_options(Settings.load(kafka_ca_file=None)) == kafka_options(
        settings.model_copy(update={"kafka_ca_file": None})
    )
