"""Who spoke, by its number on the wire."""

from typing import Final

from parley.events import Role
from parley.wire import content_pb2

ROLES: Final[dict[int, Role]] = {content_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}
