"""Which consumers the persister is, by topic: their names, and what fills the tables."""

from typing import Any, Final

from parley.db.pool import Pool
from parley.topics import Topic
from services.persister.settings import PersisterSettings
from services.persister.store.accounts import SERVICE
from services.persister.store.events import EventTables
from services.persister.store.seals import SealTables
from services.persister.store.verdicts import VerdictTables
from services.persister.stream.config import ConfigHandler
from services.persister.stream.handler import PersisterHandler
from services.persister.stream.reading import each, read_events, read_seal, read_verdict

# Others wait for the fence of the events' consumer, under the service's own name.
NAMES: Final = {
    Topic.EVENTS: SERVICE,
    Topic.SEALS: f"{SERVICE}-seals",
    Topic.ANALYSES: f"{SERVICE}-analyses",
    Topic.CONFIG: f"{SERVICE}-config",
}


def handlers(
    settings: PersisterSettings, pool: Pool, *, are_replayed: bool = False
) -> dict[Topic, PersisterHandler[Any]]:
    """What writes the records of topics with a history, into the tables that the pool sees."""
    limits, letters = settings.bad_limits, settings.topic(Topic.DEAD_LETTERS)
    events = EventTables(are_counted_late=are_replayed)
    return {
        Topic.EVENTS: PersisterHandler(read_events, events, pool, limits, letters),
        Topic.SEALS: PersisterHandler(each(read_seal), SealTables(), pool, limits, letters),
        Topic.ANALYSES: PersisterHandler(
            each(read_verdict), VerdictTables(), pool, limits, letters
        ),
    }


def config_handler(settings: PersisterSettings) -> ConfigHandler:
    """What writes the records of the config topic, which is compacted."""
    return ConfigHandler(settings.topic(Topic.DEAD_LETTERS))
