"""Replays the log into the sealer's tables of another schema: `… services.sealer.replay`."""

from collections.abc import Sequence

from parley import ids
from parley.db.pool import Pool
from parley.log.producer import Producer
from parley.log.replay import Replay, be_replay
from parley.topics import Topic
from services.sealer.main import SERVICE
from services.sealer.settings import SealerSettings
from services.sealer.stream import SealerStream


def replays(settings: SealerSettings, pool: Pool) -> Sequence[Replay]:
    """The one consumer; its seals stay in the outbox, and it writes no ticks."""
    stream = SealerStream(settings, pool, Producer(settings))
    topic = settings.topic(Topic.EVENTS)
    return [Replay(SERVICE, topic, stream, settings, pool, ids.random_id())]


if __name__ == "__main__":
    be_replay(SERVICE, SealerSettings, replays)
