"""What is configured wrongly does not start, and what runs may do nothing that it need not."""

import pytest

from parley.errors import WRONG_SETTINGS
from tests.compose.project import SERVICES, Project

pytestmark = pytest.mark.compose

OURS = (*SERVICES, "setup", "parley")


@pytest.mark.parametrize("service", OURS)
def test_an_unknown_setting_stops_a_service_with_its_name(service: str, project: Project) -> None:
    words = () if service != "parley" else ("topics", "list")
    ended = project.start_with(service, "PARLEY_IDEL_GAP=5", words=words)
    assert ended.status != 0
    assert "PARLEY_IDEL_GAP is not a setting of Parley" in ended.output + ended.errors


def test_a_setting_of_one_service_that_it_does_not_know_stops_it(project: Project) -> None:
    ended = project.start_with("sealer", "PARLEY_SEALER_PATEINCE=5")
    assert ended.status == WRONG_SETTINGS
    assert "PARLEY_SEALER_PATEINCE" in ended.output + ended.errors


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_as_nobody_who_may_write_nothing(service: str, project: Project) -> None:
    container = project.containers(service)[0]
    facts = project.inspect(container)
    assert facts["HostConfig"]["ReadonlyRootfs"]
    assert project.docker("exec", container, "id", "-u").strip() == "10001"
    said = project.docker("exec", container, "sh", "-c", "touch /app/x /x 2>&1 || true")
    assert said.count("Read-only file system") == 2
    status = project.docker("exec", container, "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status


def test_each_service_is_its_own_login_and_may_change_no_table_of_anothers(
    project: Project,
) -> None:
    seen = project.rows(
        "SELECT DISTINCT usename::text AS login FROM pg_stat_activity"
        " WHERE application_name = 'parley'"
    )
    assert {row["login"] for row in seen} == set(SERVICES)
    attempt = (
        "import asyncio, asyncpg, os\n"
        "async def attempt():\n"
        "    connection = await asyncpg.connect(os.environ['DATABASE_URL'])\n"
        "    await connection.execute('DELETE FROM conversation_messages')\n"
        "asyncio.run(attempt())\n"
    )
    for service in SERVICES:
        container = project.containers(service)[0]
        ended = project.attempt("docker", "exec", container, "python", "-c", attempt)
        assert ended.status == 1
        assert "permission denied for table conversation_messages" in ended.errors


def test_nothing_but_the_proxy_and_the_pages_of_operators_is_published(project: Project) -> None:
    published: dict[str, set[str]] = {}
    for container in project.compose("ps", "--quiet").split():
        facts = project.inspect(container)
        service = facts["Config"]["Labels"]["com.docker.compose.service"]
        bindings = [
            one for many in facts["NetworkSettings"]["Ports"].values() for one in many or ()
        ]
        if bindings:
            published[service] = {one["HostIp"] for one in bindings}
    assert published.keys() == {"proxy", "prometheus", "alertmanager", "grafana"}
    assert set().union(*published.values()) == {"127.0.0.1"}
