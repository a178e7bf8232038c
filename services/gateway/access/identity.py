"""Who somebody is, and what each role may do."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from parley.config import AccessRole
from services.gateway.core.refusals import Code, Refused


class Permission(StrEnum):
    """What somebody may be allowed to do within their tenant; the value says it in words."""

    TALK = "talk in conversations"
    ANSWER = "speak as an assistant or for other users"
    READ = "read a conversation"
    LIST = "look through everybody's conversations"
    IMPORT = "import messages of the past"
    OPERATE = "operate the gateway"


GRANTS: Final[Mapping[AccessRole, frozenset[Permission]]] = {
    # One who knows a conversation's id takes part in it, and so may read it.
    AccessRole.USER: frozenset({Permission.TALK, Permission.READ}),
    AccessRole.AGENT: frozenset(
        {Permission.TALK, Permission.ANSWER, Permission.READ, Permission.LIST}
    ),
    AccessRole.READER: frozenset({Permission.READ, Permission.LIST}),
    AccessRole.IMPORTER: frozenset({Permission.IMPORT}),
    AccessRole.OPERATOR: frozenset({Permission.READ, Permission.LIST, Permission.OPERATE}),
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token or a key was given to; everything here comes from it, nothing from a payload.

    `subject` is the sender that event ids are derived from. `expires_at` is when connections
    that were opened with it close; None for never. `key_id` is empty where it was no API key.
    """

    tenant_id: str
    subject: str
    roles: frozenset[AccessRole]
    user_id: str
    expires_at: datetime | None = None
    key_id: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether one of the roles allows it."""
        return any(permission in GRANTS[role] for role in self.roles)

    def requires(self, permission: Permission) -> None:
        """Raise Refused (forbidden) unless it is allowed."""
        if not self.may(permission):
            raise Refused(Code.FORBIDDEN, f"your roles do not allow you to {permission}")

    def speaks_as(self, user_id: str) -> str:
        """The user to write for, where a payload names `user_id` or nobody (empty).

        Servers speak for whom they name, users for themselves; raises Refused (forbidden) for
        one who names another.
        """
        if self.may(Permission.ANSWER):
            return user_id
        if user_id in ("", self.user_id):
            return self.user_id
        raise Refused(Code.FORBIDDEN, "your token speaks for another user")


def anybody(tenant_id: str) -> Identity:
    """Everybody, where there is no access control: all roles of the one tenant."""
    return Identity(tenant_id, "anonymous", frozenset(AccessRole), "")


def known_roles(names: Collection[str]) -> frozenset[AccessRole]:
    """Those that Parley knows; others are for other programs, or for a later release."""
    return frozenset(role for role in AccessRole if role in names)
