"""How clients come to Kafka: its address, and in a secured cluster who they are."""

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from parley.errors import UserError
from parley.settings import Settings


def kafka_options(settings: Settings) -> dict[str, Any]:
    """What every client of aiokafka is given; raises UserError for files that are none."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_is_encrypted:
        options["ssl_context"] = tls_context(settings)
    if settings.kafka_has_login:
        password = settings.kafka_password.get_secret_value() if settings.kafka_password else ""
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": password,
        }
    return options


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trusts the given authority, or the machine's; the broker must be who its name says."""
    return _tls_context(
        settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file
    )


# Clients come and go; reading the machine's authorities takes some ten milliseconds.
@lru_cache(maxsize=4)
def _tls_context(
    ca_file: Path | None, certificate_file: Path | None, key_file: Path | None
) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if certificate_file is not None:
            context.load_cert_chain(certificate_file, key_file)
    except (OSError, ssl.SSLError) as error:
        raise UserError(
            f"The certificates for Kafka cannot be used: {error}.",
            "PARLEY_KAFKA_CA_FILE, PARLEY_KAFKA_CERTIFICATE_FILE and PARLEY_KAFKA_KEY_FILE name "
            "files in PEM format.",
        ) from error
    return context
