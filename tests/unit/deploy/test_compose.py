"""In containers each service is its own login of the database, and only operators are the owner."""

import re
from typing import Any, Final

import yaml

from parley.db.roles import SERVICES
from tests.support.processes import ROOT

OWNER: Final = "parley"


COMPOSED: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]


def login_of(service: str) -> tuple[str, str]:
    """The login of a service's DATABASE_URL, and the variable of its password."""
    url = COMPOSED[service]["environment"]["DATABASE_URL"]
    found = re.fullmatch(r"postgresql://(\w+):\$\{(\w+):-\w+\}@postgres:5432/parley", url)
    assert found is not None, url
    return found[1], found[2]


def test_each_service_has_a_login_and_a_password_of_its_own() -> None:
    for role in SERVICES:
        assert login_of(role.value) == (role.value, f"POSTGRES_{role.upper()}_PASSWORD")
    for service in ("setup", "parley"):
        assert login_of(service) == (OWNER, "POSTGRES_PASSWORD")


def test_the_setup_makes_these_logins_with_their_roles() -> None:
    setup = COMPOSED["setup"]
    lines = setup["command"][0].partition("logins apply <<END\n")[2].partition("END")[0]
    wanted = [f"{one} {one} $$POSTGRES_{one.upper()}_PASSWORD" for one in SERVICES]
    assert lines.splitlines() == wanted
    given = {login_of(role.value)[1] for role in SERVICES}
    assert given < set(setup["environment"])
    for name in given:
        # As the services have it: else their passwords would not be those of the logins.
        assert setup["environment"][name] == f"${{{name}:-parley}}"
