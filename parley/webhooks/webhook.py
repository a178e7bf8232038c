"""A webhook: who wants to be told of which verdicts, as an operator set it."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

# It stands in a header.
WEBHOOK_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
# Passes, and as many categories, that one may choose by name.
MAX_CHOSEN: Final = 200


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of a tenant's new verdicts.

    Without `passes` and `categories` it is told of every verdict. Secrets are nowhere: each
    version of one is derived from the server's key, and `secret_check` only tells whether that is
    still the same key. Until `former_until` the secret before counts too.
    """

    webhook_id: str
    url: str
    secret_version: int
    secret_check: bytes
    passes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    former_until: datetime | None = None
    is_live_only: bool = False
    """Whether verdicts that a backfill made are left out."""
    is_enabled: bool = True
    is_removed: bool = False

    def wants(self, pass_name: str, category: str, *, is_backfill: bool) -> bool:
        """Whether it is told of a verdict of this pass."""
        if not self.is_enabled or self.is_removed or (is_backfill and self.is_live_only):
            return False
        is_chosen = pass_name in self.passes or category in self.categories
        return is_chosen or not (self.passes or self.categories)

    def secret_versions(self, now: datetime) -> tuple[int, ...]:
        """The versions that requests are signed with, the latest first."""
        latest = self.secret_version
        has_former = self.former_until is not None and now < self.former_until and latest > 1
        return (latest, latest - 1) if has_former else (latest,)
