"""Who may talk to the gateway, as whom, and what they may do."""

from services.gateway.access.access import Access
from services.gateway.access.guard import AccessGuard, Caller, caller_of
from services.gateway.access.identity import Identity, Permission, anybody
from services.gateway.access.origins import OriginGuard, is_allowed, require_loopback
from services.gateway.access.registry import Registry
from services.gateway.access.tokens import token_of

__all__ = [
    "Access",
    "AccessGuard",
    "Caller",
    "Identity",
    "OriginGuard",
    "Permission",
    "Registry",
    "anybody",
    "caller_of",
    "is_allowed",
    "require_loopback",
    "token_of",
]
