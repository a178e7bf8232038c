"""Adds up what a preview found, by channel, and names what would change."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from parley.previewing.request import PreviewRequest
from services.sealer.core import ConversationKey
from services.sealer.core.comparing import Group, Outcome


class Report:
    """Counts by channel; what would change is handed over bit by bit."""

    def __init__(self, request: PreviewRequest) -> None:
        self._request = request
        self._by_channel: dict[str, Counter[str]] = {}
        self._changed: list[dict[str, Any]] = []

    def add(self, key: ConversationKey, groups: Iterable[Group]) -> None:
        """A conversation's segments, before and after."""
        channels = set()
        for group in filter(self._is_asked_for, groups):
            counts = self._by_channel.setdefault(group.channel, Counter())
            counts["before"] += len(group.before)
            counts["after"] += len(group.after)
            counts["seals_before"] += sum(one.seals for one in group.before)
            counts["seals_after"] += sum(one.seals for one in group.after)
            counts[group.outcome] += len(group.before)
            channels.add(group.channel)
            if group.outcome is not Outcome.UNCHANGED:
                self._changed.append(_named(key, group))
        for channel in channels:
            self._by_channel[channel]["conversations"] += 1

    def take_changed(self) -> list[dict[str, Any]]:
        """What would change and was not handed over yet."""
        taken, self._changed = self._changed, []
        return taken

    def by_channel(self) -> dict[str, dict[str, int]]:
        """The counts."""
        names = ("conversations", "before", "after", *Outcome, "seals_before", "seals_after")
        return {
            channel: {str(name): counts[name] for name in names}
            for channel, counts in sorted(self._by_channel.items())
        }

    def _is_asked_for(self, group: Group) -> bool:
        wanted, since = self._request.channel, self._request.since
        both = (*group.before, *group.after)
        if wanted and all(one.channel != wanted for one in both):
            return False
        return since is None or any(one.last[0] >= since for one in both)


def _named(key: ConversationKey, group: Group) -> dict[str, Any]:
    return {
        "tenant_id": key[0],
        "before": [[one.segment_id, one.revision] for one in group.before],
        "after": len(group.after),
    }
