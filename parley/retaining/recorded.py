"""Up to when the log has recorded that tables are kept."""

from datetime import datetime
from typing import Any

from parley.config import ConfigChange, ConfigKey, ConfigKind, Retention
from parley.log.config_tail import ConfigTail
from parley.retaining.retain import Kept
from parley.settings import Settings


class _Cutoffs(dict[str, datetime]):
    """What of the config topic is a tenant's cutoff."""

    def apply(self, change: ConfigChange) -> None:
        match change.body:
            case Retention(cutoff=datetime() as cutoff):
                self[change.tenant_id] = cutoff

    def forget(self, about: ConfigKey) -> None:
        if about.kind is ConfigKind.RETENTION:
            self.pop(about.tenant_id, None)


async def recorded(settings: Settings, connection: Any) -> list[Kept]:
    """The cutoff of every tenant that has one; raises UserError without Kafka or the topic.

    The log's count, as `parley retention apply` writes there first and does not wait for the
    persister; and those that the live tables have by now, as seen by the connection.
    """
    cutoffs = _Cutoffs()
    tail = ConfigTail(settings, cutoffs)
    await tail.start()
    await tail.close()
    for row in await connection.fetch(
        "SELECT tenant_id, cutoff FROM public.retention WHERE cutoff IS NOT NULL"
    ):
        tenant_id, cutoff = row
        cutoffs[tenant_id] = max(cutoff, cutoffs.get(tenant_id, cutoff))
    return [Kept(tenant_id, cutoff) for tenant_id, cutoff in sorted(cutoffs.items())]
