"""Passes in force, and segments that stand in every way to them, put there without a log."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from parley.codec.config import config_key, parse_config_key
from parley.config import ConfigBody
from parley.db.schema import metadata
from parley.db.schema.analysis import segments, verdicts
from parley.ids import derived_id
from services.persister.store.config import Setting, write_settings
from tests.integration.gateway.rows import AT, insert
from tests.unit.passes.samples import CODE, PROMPT, active, applied, change, wanted

JOBS: Final = "operations.jobs"
# By name of the segment: the revision that stands, those with a verdict by version 2 or before it,
# and the state of the job of the one that stands.
STANDING: Final[dict[str, tuple[int, list[tuple[int, int]], str | None]]] = {
    "current": (2, [(1, 2), (2, 2)], "verdict"),
    "of a former revision": (2, [(1, 2)], None),
    "of a former version": (1, [(1, 1)], "open"),
    "none": (1, [], None),
    "waits": (1, [], "open"),
    "parked": (1, [], "parked"),
    "failed": (2, [(1, 2)], "failed"),
}


async def configure(pool: Any, *said: tuple[str, ConfigBody]) -> None:
    """Let the tables say what operators have said."""
    settings = []
    for tenant_id, body in said:
        one = change(body, tenant_id)
        about = parse_config_key(config_key(one))
        assert about is not None
        settings.append(Setting(about, one))
    async with pool.acquire() as connection, connection.transaction():
        await write_settings(connection, settings)


async def apply_passes(pool: Any) -> None:
    """`turns` is in force in its second version, `summary` for who wants it; `old` is not."""
    await configure(
        pool,
        *(("", applied(CODE, version=version)) for version in (1, 2)),
        ("", active((1, 0), (2, 5))),
        ("", applied(PROMPT)),
        ("", active((2, None), name="summary")),
        ("", applied(CODE, name="old")),
        ("acme", wanted("summary")),
    )


def id_of(name: str) -> str:
    return derived_id("segment", name)


async def fill(pool: Any, tenant_id: str = "default") -> None:
    """A segment for each way to stand, all of one conversation and of one day."""
    await apply_passes(pool)
    fingerprints = {version: applied(CODE, version=version).fingerprint for version in (1, 2)}
    for name, (revision, verdicts_of, state) in STANDING.items():
        key = {"tenant_id": tenant_id, "segment_id": id_of(name), "pass_name": "turns"}
        await add_segment(pool, tenant_id, name, revision=revision)
        for of_revision, version in verdicts_of:
            print_of = {"fingerprint": fingerprints[version], "pass_version": version}
            await insert(pool, verdicts, **key, revision=of_revision, **print_of)
        if state is not None:
            reason = {"parked": "no_provider", "failed": "ValueError"}.get(state, "")
            job = {"revision": revision, "pass_version": 2, "state": state, "reason": reason}
            await insert(
                pool,
                metadata.tables[JOBS],
                **key,
                **job,
                attempt_count=3 if state == "failed" else 0,
            )
    await add_segment(pool, tenant_id, "merged", is_retracted=True)


async def add_segment(pool: Any, tenant_id: str, name: str, **fields: Any) -> None:
    whole = {
        "tenant_id": tenant_id,
        "segment_id": id_of(name),
        "revision": 1,
        "channel": "web",
        "message_count": 2,
        "started_at": AT,
        "ended_at": AT + timedelta(minutes=5),
    }
    await insert(pool, segments, **{**whole, **fields})


def counts(rows: Sequence[Any]) -> dict[str, int]:
    """The one row of a pass, without what names it."""
    [row] = rows
    names = ("segments", "current", "missing", "stale", "parked", "failed")
    return {name: row[name] for name in names}


EXPECTED: Final = {
    "segments": 7,
    "current": 1,
    "missing": 2,
    "stale": 2,
    "parked": 1,
    "failed": 1,
}
