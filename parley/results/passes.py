"""Says which passes a tenant's segments are to have, in the form that the queries take."""

import json
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, Final

from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition

_PLACES: Final = 2**64
_PLACE_BYTES: Final = 8


def passes_json(catalog: Catalog, tenant_ids: Sequence[str]) -> str:
    """The passes in force that each tenant is subscribed to, and which segments they are for."""
    return json.dumps([one for tenant_id in tenant_ids for one in _of_tenant(catalog, tenant_id)])


def _of_tenant(catalog: Catalog, tenant_id: str) -> Iterator[dict[str, Any]]:
    for name in catalog.names():
        applied = catalog.in_force(name)
        if applied is None or not catalog.is_subscribed(tenant_id, applied.definition):
            continue
        target = applied.definition.target
        if target.tenant_ids and tenant_id not in target.tenant_ids:
            continue
        yield {
            "tenant_id": tenant_id,
            "pass_name": name,
            "pass_version": applied.version,
            "fingerprint": applied.fingerprint,
            "channels": list(target.channels) or None,
            "min_messages": target.min_messages,
            "sample": sample_of(applied.definition),
        }


def sample_of(definition: PassDefinition) -> str | None:
    """Below which hash of its id a segment is in the sample, in hexadecimal; None for all."""
    bound = ceil(definition.sampling * _PLACES)
    return None if bound >= _PLACES else bound.to_bytes(_PLACE_BYTES).hex()
