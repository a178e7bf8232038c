"""Signs what is sent, with secrets that are derived rather than kept."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

SIGNATURE_HEADER: Final = "Parley-Signature"
# Tells people and scanners of leaked secrets what it is.
_MARK: Final = "whsec_"
_CHECK_BYTES: Final = 8


def secret_of(server_key: str, tenant_id: str, webhook_id: str, version: int) -> str:
    """The secret of a webhook, in one of its versions: who has no key cannot know any."""
    # NUL, which no name may hold, parts what it is of.
    named = "\0".join(("webhook", tenant_id, webhook_id, str(version)))
    digest = hmac.digest(server_key.encode(), named.encode(), "sha256")
    return _MARK + urlsafe_b64encode(digest).decode().rstrip("=")


def check_of(secret: str) -> bytes:
    """What tells one secret from another without telling it."""
    return sha256(f"check\0{secret}".encode()).digest()[:_CHECK_BYTES]


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over the seconds since 1970, a dot and the body, in hexadecimal."""
    return hmac.digest(secret.encode(), b"%d.%b" % (timestamp, body), "sha256").hex()


def signature(secrets: Mapping[int, str], timestamp: int, body: bytes) -> str:
    """The header's value: the time, and a signature by each secret under its version."""
    signed = (f"k{version}={sign(secret, timestamp, body)}" for version, secret in secrets.items())
    return ",".join((f"t={timestamp}", *signed))
