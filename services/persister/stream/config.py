"""What the persister does with the config topic: of every key the latest record counts.

The topic is compacted: which records of a key are still there when it is read again is chance, so
a record that cannot be read takes away what its key said before, as gateways do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from parley import metrics
from parley.codec import InvalidRecord, LogRecord
from parley.codec.config import decode_config, parse_config_key
from parley.config import ConfigKey, Unread
from parley.db.fence import Fence
from parley.db.outbox import enqueue
from parley.db.pool import Connection
from parley.log.consumer import Batch
from services.persister.core.tallies import Tally, minute_of
from services.persister.metrics import LEDGER_RESIDUE, RECORDS
from services.persister.store.accounts import (
    SERVICE,
    DeadLetter,
    add_to_ledger,
    insert_dead_letters,
)
from services.persister.store.config import Setting, write_settings
from services.persister.stream.refusals import dead_letter_record


@dataclass(frozen=True, slots=True)
class ConfigWork:
    """A batch, parsed: the latest of each thing that it sets, and what cannot be read."""

    batch: Batch
    settings: Sequence[Setting]
    letters: Sequence[DeadLetter]
    tally: Tally


class ConfigHandler:
    """Fills the tables of the config topic, all in the fence's transaction."""

    def __init__(self, dead_letters_topic: str) -> None:
        self._dead_letters_topic = dead_letters_topic

    async def claimed(self, claim: Fence) -> None:
        """Nothing is kept in memory."""

    async def prepare(self, batch: Batch) -> ConfigWork:
        """Parse the records; of each key the last one counts."""
        latest: dict[ConfigKey, Setting] = {}
        letters: list[DeadLetter] = []
        stored_count = 0
        for record in batch.records:
            setting = _read(record, letters)
            if setting is not None:
                latest[setting.about] = setting
                stored_count += not (letters and letters[-1].record is record)
        # What compaction took away is at none of the offsets, and so not for a table either.
        consumed = batch.last_offset + 1 - batch.fence.next_offset
        rest = consumed - stored_count - len(letters)
        tally = Tally(stored_count, 0, len(letters), rest)
        return ConfigWork(batch, list(latest.values()), letters, tally)

    async def apply(self, connection: Connection, work: ConfigWork) -> None:
        """Write the rows, the dead letters and the ledger."""
        fence = work.batch.fence
        await write_settings(connection, work.settings)
        await insert_dead_letters(connection, fence, work.letters)
        minute = minute_of(work.batch.records[-1].broker_time)
        counted = await add_to_ledger(connection, fence, work.tally, {minute: work.tally})
        copies = [dead_letter_record(one, self._dead_letters_topic) for one in work.letters]
        await enqueue(connection, fence.key, copies)
        residue = work.batch.last_offset + 1 - counted
        LEDGER_RESIDUE.labels(fence.key.topic, str(fence.key.partition)).set(residue)

    async def committed(self, work: ConfigWork) -> None:
        """Count what became of the records."""
        topic, tally = work.batch.fence.key.topic, work.tally
        RECORDS.labels(topic, "stored").inc(tally.stored)
        RECORDS.labels(topic, "not_for_table").inc(tally.not_for_table)
        RECORDS.labels(topic, "dead_lettered").inc(tally.dead_lettered)
        for letter in work.letters:
            metrics.DEAD_LETTERS.labels(SERVICE, letter.reason).inc()

    def released(self, partition: int) -> None:
        """Nothing is kept in memory."""


def _read(record: LogRecord, letters: list[DeadLetter]) -> Setting | None:
    """What a record sets or takes away; None for what has no table."""
    about = parse_config_key(record.key)
    try:
        change = None if record.value is None else decode_config(record)
    except InvalidRecord as error:
        letters.append(DeadLetter(record, error.reason, error.detail))
        change = None
    if about is None or (change is not None and isinstance(change.body, Unread)):
        return None
    return Setting(about, change)
