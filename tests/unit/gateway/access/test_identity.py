"""What each role may do, and for whom it may speak."""

import pytest

from parley.config import AccessRole
from services.gateway.access import Identity, Permission, anybody
from services.gateway.core.refusals import Code, Refused

MAY = {
    AccessRole.USER: {Permission.TALK, Permission.READ},
    AccessRole.AGENT: {Permission.TALK, Permission.ANSWER, Permission.READ, Permission.LIST},
    AccessRole.READER: {Permission.READ, Permission.LIST},
    AccessRole.IMPORTER: {Permission.IMPORT},
    AccessRole.OPERATOR: {Permission.READ, Permission.LIST, Permission.OPERATE},
}


def holder(*roles: AccessRole) -> Identity:
    return Identity("acme", "subject", frozenset(roles), "user-1")


@pytest.mark.parametrize("role", AccessRole)
def test_a_role_may_do_what_it_is_for_and_nothing_else(role: AccessRole) -> None:
    assert {one for one in Permission if holder(role).may(one)} == MAY[role]


def test_who_may_not_is_told_what_was_missing() -> None:
    holder(AccessRole.IMPORTER).requires(Permission.IMPORT)
    with pytest.raises(Refused, match="read a conversation") as caught:
        holder(AccessRole.IMPORTER).requires(Permission.READ)
    assert caught.value.code is Code.FORBIDDEN
    with pytest.raises(Refused):
        holder().requires(Permission.TALK)


def test_a_user_speaks_as_the_one_that_the_token_names() -> None:
    user = holder(AccessRole.USER)
    assert user.speaks_as("") == user.speaks_as("user-1") == "user-1"
    with pytest.raises(Refused, match="another user") as caught:
        user.speaks_as("user-2")
    assert caught.value.code is Code.FORBIDDEN


def test_a_server_speaks_for_whom_it_names() -> None:
    server = holder(AccessRole.AGENT, AccessRole.USER)
    assert server.speaks_as("user-2") == "user-2"
    assert server.speaks_as("") == ""


def test_without_access_control_everybody_may_do_everything_in_the_one_tenant() -> None:
    everybody = anybody("default")
    assert all(everybody.may(one) for one in Permission)
    assert everybody.speaks_as("user-2") == "user-2"
    assert (everybody.tenant_id, everybody.subject) == ("default", "anonymous")
