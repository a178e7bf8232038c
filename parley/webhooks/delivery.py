"""Names a delivery: of one verdict to one webhook, the same for every attempt and for ever."""

from parley.ids import derived_id, random_id


def delivery_id(
    tenant_id: str,
    webhook_id: str,
    segment_id: str,
    revision: int,
    pass_name: str,
    pass_version: int,
) -> str:
    """The id by which a receiver knows what it has had already."""
    verdict = (segment_id, str(revision), pass_name, str(pass_version))
    return derived_id("delivery", tenant_id, webhook_id, *verdict)


def trial_id() -> str:
    """The id of a request that is sent to try a receiver."""
    return random_id()
