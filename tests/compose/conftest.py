"""The product in containers, brought up once for all tests, and removed whatever happens."""

from collections.abc import Iterator

import pytest

from parley.ids import random_id
from tests.compose.project import SCALE, STEADY, Project, hurried_rules


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Images that were built now, and every service scaled."""
    rules = hurried_rules(tmp_path_factory.mktemp("rules"))
    made = Project(f"parley-test-{random_id()[:8]}", rules)
    try:
        made.compose("build", timeout_s=1_200)
        made.up(**SCALE)
        yield made
    except AssertionError:
        print(made.compose("logs", "--tail", "40"))  # noqa: T201 - for the failed test
        raise
    finally:
        made.down()


@pytest.fixture
def scaled(project: Project) -> Project:
    """Every service as it was at first, whatever an earlier test left of it."""
    if project.healthy() != {**dict.fromkeys(STEADY, 1), **SCALE}:
        project.up(**SCALE)
    return project
