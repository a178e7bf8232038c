"""What a conversation hears of a gateway that a test plays."""

import asyncio
from typing import Any

from parley.client import (
    Conversation,
    Heard,
)
from tests.unit.client.gateways import Peer


async def heard(conversation: Conversation, count: int) -> list[Heard]:
    async with asyncio.timeout(10):
        return [await anext(conversation) for _ in range(count)]


async def message(peer: Peer, number: int, **more: Any) -> None:
    payload = {"event_id": f"e{number}", "text": f"text {number}", "is_final": True, "role": "user"}
    await peer.send("transcript_update", {**payload, **more}, f"p{number}")
