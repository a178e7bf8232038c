"""Writes what is sent: the same verdict is the same bytes, however often it goes out."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

VERDICT: Final = "verdict.created"
TRIAL: Final = "test"
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def verdict_body(
    tenant_id: str, webhook_id: str, delivery_id: str, verdict: Mapping[str, Any]
) -> bytes:
    """A verdict, as plain data with all that is known of it."""
    return _body(VERDICT, tenant_id, webhook_id, delivery_id, verdict=dict(verdict))


def trial_body(tenant_id: str, webhook_id: str, delivery_id: str) -> bytes:
    """What is sent to see whether a receiver takes it."""
    return _body(TRIAL, tenant_id, webhook_id, delivery_id)


def _body(
    kind: str, tenant_id: str, webhook_id: str, delivery_id: str, **rest: Mapping[str, Any]
) -> bytes:
    whole = {
        "type": kind,
        "tenant_id": tenant_id,
        "webhook_id": webhook_id,
        "delivery_id": delivery_id,
        **rest,
    }
    return orjson.dumps(whole, option=_OPTIONS)
