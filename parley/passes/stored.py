"""What operators say of passes, as the tables of the config topic hold it."""

import json
from datetime import datetime
from typing import Any, Final

from parley.codec.definitions import decode_definition
from parley.config import ConfigChange
from parley.db.pool import Pool
from parley.db.sql import load
from parley.passes.applied import (
    ActiveVersion,
    AppliedPass,
    PassActivation,
    SealsPosition,
    Subscription,
)
from parley.passes.catalog import Catalog

_SQL: Final = load(__package__)


async def stored_catalog(pool: Pool) -> Catalog:
    """The catalog as the persister has written it; raises InvalidRecord for rows of other hands."""
    catalog = Catalog()
    for row in await pool.fetch(_SQL["definitions"]):
        definition = decode_definition(row["definition"])
        catalog.apply(_change(row, AppliedPass(definition, row["fingerprint"])))
    for row in await pool.fetch(_SQL["activations"]):
        versions = tuple(map(_active, json.loads(row["versions"])))
        catalog.apply(_change(row, PassActivation(row["pass_name"], row["is_enabled"], versions)))
    for row in await pool.fetch(_SQL["subscriptions"]):
        body = Subscription(row["target"], row["is_category"], row["is_enabled"])
        catalog.apply(_change(row, body, row["tenant_id"]))
    return catalog


def versions_json(activation: PassActivation) -> str:
    """The versions of an activation as the table holds them."""
    return json.dumps(
        [
            {
                "version": one.version,
                "activated_at": one.activated_at.isoformat(),
                "incarnation": None if one.since is None else one.since.incarnation,
                "offsets": None if one.since is None else list(one.since.offsets),
            }
            for one in activation.versions
        ]
    )


def _active(found: dict[str, Any]) -> ActiveVersion:
    since = None
    if found["offsets"] is not None:
        since = SealsPosition(found["incarnation"], tuple(found["offsets"]))
    return ActiveVersion(found["version"], datetime.fromisoformat(found["activated_at"]), since)


def _change(
    row: Any, body: AppliedPass | PassActivation | Subscription, tenant_id: str = ""
) -> ConfigChange:
    return ConfigChange(tenant_id, row["changed_by"], row["changed_at"], body)
