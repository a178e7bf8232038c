"""The next release comes while people talk to the last one: old and new run side by side."""

import json
import subprocess
from asyncio import to_thread
from collections.abc import Iterator
from string import Template
from textwrap import dedent

import pytest

from tests.compose.project import IMAGE, SCALE, SERVICES, Project
from tests.compose.talk import talking

pytestmark = pytest.mark.compose

CONTRACTED = """
ALTER TABLE conversations DROP COLUMN next_release;
UPDATE alembic_version SET version_num = '{}'
"""
NEXT_IMAGE = "parley-compose-test:next"
# The next release as far as this one can tell: its own label, and a migration that expands.
NEXT_RELEASE = Template('''
FROM $image
LABEL parley.release=next
COPY --chmod=644 <<"END" /app/parley/db/migrations/versions/9999_next.py
"""Adds a column that only the next release knows."""
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", "$newest", None, None
def upgrade() -> None:
    op.execute("ALTER TABLE conversations ADD COLUMN next_release text NOT NULL DEFAULT 'new'")
END
''')


@pytest.fixture
def next_release(scaled: Project) -> Iterator[Project]:
    """The project with the next release's image; afterwards with this one's again."""
    newest = json.loads(scaled.command("db", "status", "-o", "json").output)[0]["newest"]
    build = ("docker", "build", "--quiet", "--tag", NEXT_IMAGE, "-")
    text = "# syntax=docker/dockerfile:1" + NEXT_RELEASE.substitute(image=IMAGE, newest=newest)
    subprocess.run(build, input=dedent(text), text=True, check=True, timeout=120)
    scaled.environment["SERVICES_IMAGE"] = NEXT_IMAGE
    yield scaled
    scaled.environment["SERVICES_IMAGE"] = IMAGE
    # This release's set-up, which later tests run again, does not know the next one's tables.
    contracted = CONTRACTED.format(newest)
    psql = ("psql", "-U", "parley", "-d", "parley", "-Xqc", contracted)
    scaled.compose("exec", "-T", "postgres", *psql)


def _partition_counts(project: Project) -> dict[str, int]:
    listed = json.loads(project.command("topics", "list", "-o", "json").output)
    return {one["topic"]: one["partitions"] for one in listed}


async def test_setting_up_again_changes_nothing(scaled: Project) -> None:
    async with talking(scaled):
        before = await to_thread(_partition_counts, scaled)
        ended = await to_thread(scaled.start_with, "setup")
        assert ended.status == 0, ended
        assert scaled.command("db", "status").status == 0
        assert await to_thread(_partition_counts, scaled) == before


async def test_an_upgrade_under_traffic_loses_and_doubles_nothing(next_release: Project) -> None:
    async with talking(next_release) as talk:
        await to_thread(next_release.upgrade)
        await talk.goes_on()
        for service in SERVICES:
            running = next_release.containers(service)
            assert len(running) == SCALE.get(service, 1)
            for container in running:
                labels = next_release.inspect(container)["Config"]["Labels"]
                assert labels.get("parley.release") == "next", service
    added = next_release.rows("SELECT DISTINCT next_release FROM conversations")
    assert added == [{"next_release": "new"}]
