"""Digests that the sealer writes and the analyzer checks: of a segment's members and content."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from parley.events import Content, Role


class Member(NamedTuple):
    """A message of a segment, by its ids; the version is empty while it was never revised."""

    event_id: str
    content_version: str = ""


class SpokenMember(NamedTuple):
    """A message of a segment, with what was said.

    `is_interrupted` says that the content is what was spoken before the other side cut in. The
    content version decides it, so that the digests need not hold it.
    """

    event_time: datetime
    event_id: str
    role: Role
    content: Content
    content_version: str = ""
    is_interrupted: bool = False


def member_digest(members: Iterable[Member | tuple[str, str]]) -> bytes:
    """sha256 over the sorted lines "event id:content version"."""
    # Once for every message that is sealed.
    lines = sorted([f"{event_id}:{content_version}\n" for event_id, content_version in members])
    return sha256("".join(lines).encode()).digest()


def content_digest(members: Iterable[SpokenMember]) -> bytes:
    """sha256 over (time, role, content, content version) of the members in order.

    The order is by (event time, event id); every part is preceded by its length, so that no two
    different segments have the same digest by chance of their borders.
    """
    digest = sha256()
    for member in sorted(members, key=lambda one: (one.event_time, one.event_id)):
        for part in _parts(member):
            encoded = part.encode()
            digest.update(f"{len(encoded)}:".encode() + encoded)
    return digest.digest()


def _parts(member: SpokenMember) -> tuple[str, ...]:
    content = member.content
    return (
        member.event_time.isoformat(timespec="microseconds"),
        member.role.value,
        content.text,
        content.audio_url or "",
        content.metadata_json,
        member.content_version,
    )
