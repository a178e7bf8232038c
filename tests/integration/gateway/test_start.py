"""Starts that cannot be: a clear message, and exit status 1, or 78 for a wrong setting."""

import httpx
import pytest

from parley.errors import WRONG_SETTINGS
from parley.settings import Settings
from tests.support.processes import ServiceProcess, free_port

pytestmark = pytest.mark.integration


def fails(process: ServiceProcess, status: int = 1) -> str:
    """What it says when it ends by itself."""
    assert process.start(wait=False).wait() == status
    assert "Traceback" not in process.output
    return process.output


def test_without_kafka_it_says_where_it_looked(settings: Settings) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    away = settings.model_copy(update={"kafka_bootstrap": nowhere})
    assert f"No Kafka at {nowhere}" in fails(ServiceProcess("gateway", away))


def test_without_its_topics_it_says_how_to_make_them(settings: Settings) -> None:
    empty = settings.model_copy(update={"topic_prefix": f"no.{settings.topic_prefix}"})
    said = fails(ServiceProcess("gateway", empty))
    assert "parley topics apply" in said


def test_it_does_not_listen_for_other_machines(settings: Settings) -> None:
    said = fails(ServiceProcess("gateway", settings, PARLEY_HTTP_HOST="0.0.0.0"))  # noqa: S104
    assert "this machine only" in said


def test_a_setting_that_is_wrong_is_named(settings: Settings) -> None:
    said = fails(
        ServiceProcess("gateway", settings, PARLEY_GATEWAY_ACK_TIMEOUT="-1"), WRONG_SETTINGS
    )
    assert "PARLEY_GATEWAY_ACK_TIMEOUT" in said
    said = fails(ServiceProcess("gateway", settings, PARLEY_GATEWAY_ACK_TIMOUT="1"), WRONG_SETTINGS)
    assert "PARLEY_GATEWAY_ACK_TIMOUT is not a setting" in said


def test_without_postgresql_it_starts_and_says_that_it_is_degraded(settings: Settings) -> None:
    away = f"postgresql://parley@127.0.0.1:{free_port()}/parley"
    with ServiceProcess("gateway", settings, DATABASE_URL=away) as gateway:
        answer = httpx.get(f"{gateway.url}/health")
    assert answer.json()["status"] == "degraded"
    assert answer.json()["dependencies"]["kafka"]["status"] == "healthy"
