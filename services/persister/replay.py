"""Replays the log into the persister's tables of another schema: `… services.persister.replay`."""

from collections.abc import Sequence

from parley import ids
from parley.db.pool import Pool
from parley.log.replay import Replay, be_replay
from services.persister.consumers import NAMES, handlers
from services.persister.settings import PersisterSettings
from services.persister.store.accounts import SERVICE


def replays(settings: PersisterSettings, pool: Pool) -> Sequence[Replay]:
    """One for each topic that fills tables."""
    owner = ids.random_id()
    return [
        Replay(NAMES[topic], settings.topic(topic), handler, settings, pool, owner)
        for topic, handler in handlers(settings, pool, are_replayed=True).items()
    ]


if __name__ == "__main__":
    be_replay(SERVICE, PersisterSettings, replays)
