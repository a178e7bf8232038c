"""What a service answers to supervisors and monitors, without a framework."""

import subprocess
import sys

import httpx
import pytest

from parley.health import Health, HealthApp

HEAVY = ("fastapi", "starlette", "sqlalchemy", "alembic", "faust", "opentelemetry.sdk")


async def fine() -> None:
    """Nothing is wrong."""


async def broken() -> None:
    raise RuntimeError("nobody answers")


async def ask(health: Health, path: str, method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(HealthApp(health))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path)


async def test_one_that_lives_says_so_whatever_it_depends_on() -> None:
    answer = await ask(Health("persister", {"kafka": broken}), "/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_one_is_ready_where_all_that_it_needs_answers() -> None:
    answer = await ask(Health("persister", {"kafka": fine}), "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    answer = await ask(Health("persister", {"kafka": broken}), "/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})


async def test_health_names_each_dependency_and_what_is_wrong_with_it() -> None:
    answer = await ask(Health("persister", {"database": fine, "kafka": broken}), "/health")
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "degraded"
    assert found["dependencies"]["kafka"]["detail"] == "nobody answers"
    assert (await ask(Health("persister", {"kafka": broken}), "/health")).status_code == 503


async def test_metrics_are_what_prometheus_reads() -> None:
    answer = await ask(Health("persister"), "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE python_info gauge" in answer.text


async def test_nothing_else_is_there() -> None:
    assert (await ask(Health("persister"), "/docs")).status_code == 404
    assert (await ask(Health("persister"), "/livez", "POST")).status_code == 405


@pytest.mark.parametrize("service", ["persister", "sealer"])
def test_a_service_starts_without_what_only_others_need(service: str) -> None:
    code = f"import sys, services.{service}.main; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(ran.stdout.split())
