"""Every id that Parley makes: derived ones are the same for ever, random ones never repeat."""

from hashlib import sha1
from typing import Final
from uuid import UUID, uuid4

# The root of all derived ids; changing it would make every retry a new message.
NAMESPACE = UUID("6f1d2b5e-4f0c-5b0e-9c51-8a3c6d0f7e21")

# The two highest bits of a UUID's fourth group are its variant, 10.
_VARIANTS: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def random_id() -> str:
    """A new id that nothing else has."""
    return str(uuid4())


def message_event_id(
    tenant_id: str, conversation_id: str, sender: str, client_id: str, client_message_id: str
) -> str:
    """The id of a message that its client named: a retry gets the same one, however late."""
    return derived_id("message", tenant_id, conversation_id, sender, client_id, client_message_id)


def message_ids(tenant_id: str, conversation_id: str, sender: str, client_id: str) -> "IdFamily":
    """`message_event_id` for many messages of one client."""
    return IdFamily("message", tenant_id, conversation_id, sender, client_id)


def segment_id(tenant_id: str, conversation_id: str, opening_event_id: str) -> str:
    """The id of a segment, from the member that opened it."""
    return derived_id("segment", tenant_id, conversation_id, opening_event_id)


def import_id(tenant_id: str, source_digest: str) -> str:
    """The id of an import, from what it imports: the same source is the same import."""
    return derived_id("import", tenant_id, source_digest)


def derived_id(*parts: str) -> str:
    """A UUID (version 5) of the parts; lengths are included, so ("ab", "c") is not ("a", "bc")."""
    return IdFamily(*parts[:-1]).of(parts[-1])


class IdFamily:
    """Derived ids that differ in their last part: what they share is hashed once.

    `IdFamily("a", "b").of("c")` is `derived_id("a", "b", "c")`, at less than half of the cost.
    """

    def __init__(self, *shared: str) -> None:
        # Not for secrecy: version 5 is defined by it.
        self._shared = sha1(NAMESPACE.bytes + _joined(shared).encode(), usedforsecurity=False)

    def of(self, last: str) -> str:
        """The id with this last part."""
        whole = self._shared.copy()
        whole.update(f"{len(last)}:{last}".encode())
        text = whole.hexdigest()
        variant = _VARIANTS[text[16]]
        return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def _joined(parts: tuple[str, ...]) -> str:
    return "".join(f"{len(part)}:{part}" for part in parts)
