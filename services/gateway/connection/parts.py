"""What a connection stands on, in one value."""

from dataclasses import dataclass

from services.gateway.access import Access
from services.gateway.limits import Limits
from services.gateway.rooms.rooms import Rooms
from services.gateway.rooms.snapshots import Snapshots
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher
from services.gateway.talk import Talk


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway's parts; every connection has the same."""

    settings: GatewaySettings
    publisher: Publisher
    sessions: Sessions
    rooms: Rooms
    snapshots: Snapshots
    talk: Talk
    limits: Limits
    access: Access
