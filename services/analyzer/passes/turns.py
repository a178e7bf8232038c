"""Puts messages together into turns: what one side said before the other spoke."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from parley.digests import SpokenMember
from parley.events import Role

# What people hear. System and tool messages are neither talk nor an interruption of it.
TALKING_ROLES: Final = (Role.USER, Role.ASSISTANT)


@dataclass(frozen=True, slots=True)
class Turn:
    """A longest run of consecutive messages of one talking role; it is never empty."""

    role: Role
    messages: tuple[SpokenMember, ...]


def turns_of(messages: Iterable[SpokenMember]) -> list[Turn]:
    """The turns of messages that are in order; system and tool messages are passed over."""
    talk = (message for message in messages if message.role in TALKING_ROLES)
    return [Turn(role, tuple(run)) for role, run in groupby(talk, key=lambda one: one.role)]
