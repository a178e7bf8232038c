"""API keys: how one is made, read and recognised."""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

PREFIX: Final = "parley_"
_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
# Hexadecimal, so that a double click selects the whole key and no part of it needs quoting.
_FORM: Final = re.compile(r"parley_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as its holder shows it; the secret is never printed by accident."""

    key_id: str
    secret: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The whole key."""
        return f"{PREFIX}{self.key_id}_{self.secret.hex()}"

    @property
    def key_hash(self) -> bytes:
        """What is kept of the key: 32 bytes.

        A plain SHA-256, since the secret is 32 random bytes: slow hashes protect what people can
        think of, and would let anybody keep a gateway busy.
        """
        return sha256(self.secret).digest()

    def has_hash(self, key_hash: bytes) -> bool:
        """Whether it is the key of this hash; takes the same time for every wrong one."""
        return hmac.compare_digest(self.key_hash, key_hash)


def make_key() -> PresentedKey:
    """A new key that nobody can guess."""
    return PresentedKey(secrets.token_hex(_ID_BYTES), secrets.token_bytes(_SECRET_BYTES))


def parse_key(text: str) -> PresentedKey | None:
    """The key that a text is; None for a text that is none."""
    match = _FORM.fullmatch(text)
    return PresentedKey(match[1], bytes.fromhex(match[2])) if match else None
