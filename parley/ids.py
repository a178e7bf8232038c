"""Every id that Parley makes: derived ones are the same for ever, random ones never repeat."""

from uuid import UUID, uuid4, uuid5

# The root of all derived ids; changing it would make every retry a new message.
NAMESPACE = UUID("6f1d2b5e-4f0c-5b0e-9c51-8a3c6d0f7e21")


def random_id() -> str:
    """A new id that nothing else has."""
    return str(uuid4())


def message_event_id(
    tenant_id: str, conversation_id: str, sender: str, client_id: str, client_message_id: str
) -> str:
    """The id of a message that its client named: a retry gets the same one, however late."""
    return derived_id("message", tenant_id, conversation_id, sender, client_id, client_message_id)


def segment_id(tenant_id: str, conversation_id: str, opening_event_id: str) -> str:
    """The id of a segment, from the member that opened it."""
    return derived_id("segment", tenant_id, conversation_id, opening_event_id)


def import_id(tenant_id: str, source_digest: str) -> str:
    """The id of an import, from what it imports: the same source is the same import."""
    return derived_id("import", tenant_id, source_digest)


def derived_id(*parts: str) -> str:
    """A UUID (version 5) of the parts; lengths are included, so ("ab", "c") is not ("a", "bc")."""
    return str(uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts)))
