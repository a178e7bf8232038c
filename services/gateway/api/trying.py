"""What a developer tries by hand; only there when PARLEY_TEST_ENDPOINTS is 1, and on loopback."""

import asyncio
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from parley import clock
from parley.codec import LogRecord, decode_event, event_key
from parley.events import Content, ConversationState, MessageRecorded, Role, StateRequested
from parley.health import Health
from parley.ids import random_id
from parley.live import SpeechKind
from parley.position import Position
from services.gateway.access import Caller, Permission
from services.gateway.api import models
from services.gateway.api.conversations import create
from services.gateway.api.fields import ConversationId, IdempotencyKey
from services.gateway.api.parts import Parts, counted
from services.gateway.api.problems import documented
from services.gateway.core.frames import Speech, Utterance
from services.gateway.core.refusals import Refused
from services.gateway.store import Row

POST_TEST: Final = "test_endpoint"
PREFIX: Final = "/api/test"
MAX_STRESS: Final = 1_000
STRESS_AT_ONCE: Final = 100
MAX_TRANSITIONS: Final = 500


class TryMessageIn(models.Request):
    """A message of a user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Hello!"}]})

    text: Annotated[models.Text, Field(min_length=1)] = "Hello!"


class TrySpeechIn(models.Request):
    """What a voice does."""

    kind: SpeechKind = SpeechKind.SPEECH_STARTED
    role: Role = Role.USER
    utterance_id: models.Text = ""


class TriedSpeechOut(BaseModel):
    """Where the conversation stands after it."""

    state: ConversationState


class TransitionTriedOut(BaseModel):
    """A request for another state, and whether the log granted it."""

    source: ConversationState
    target: ConversationState
    cause: str
    is_granted: bool
    appended_at: datetime
    position: str


class TransitionsOut(BaseModel):
    """The first 500 requests, as the persister has stored them."""

    transitions: list[TransitionTriedOut]


class StressOut(BaseModel):
    """How so many messages went."""

    message_count: int
    ok_count: int
    refused_count: int
    seconds: float
    messages_per_second: float


def _loopback_only(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise HTTPException(403, "test endpoints answer this machine only")


def trying_router(parts: Parts, health: Health, route_class: Any) -> APIRouter:
    """The routes for trying it out."""
    router = APIRouter(
        prefix=PREFIX,
        tags=["trying"],
        route_class=route_class,
        responses=documented(401, 403, 404, 413, 415, 422, 429, 503),
        dependencies=[Depends(_loopback_only)],
    )
    _add_writing(router, parts)
    _add_reading(router, parts)

    @router.get("/system-status", summary="How the gateway and what it needs are")
    async def get_system_status() -> dict[str, Any]:
        """The same as /health, always 200."""
        return await health.report()

    return router


def _add_writing(router: APIRouter, parts: Parts) -> None:
    @router.post("/conversations", status_code=201, summary="A conversation to try things in")
    async def post_conversation(
        caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> models.ConversationCreatedOut:
        """Its id is made up."""
        conversation = models.ConversationIn(title="A test")
        work = create(parts, caller, f"test-{random_id()}", conversation, idempotency_key)
        return await counted(POST_TEST, work)

    @router.post(
        "/{conversation_id}/message",
        status_code=201,
        summary="Say something",
        responses=documented(409),
    )
    async def post_message(
        conversation_id: ConversationId,
        message: TryMessageIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> models.MessageRecordedOut:
        """A message of the user, as over the WebSocket."""

        async def say() -> models.MessageRecordedOut:
            source = await parts.source(caller, conversation_id)
            said = _utterance(message.text, idempotency_key or random_id())
            recorded = await parts.talk.record(source, said)
            return models.MessageRecordedOut(
                event_id=recorded.event_id, position=str(recorded.position)
            )

        return await counted(POST_TEST, say())

    @router.post("/{conversation_id}/speech", summary="Begin or end to speak")
    async def post_speech(
        conversation_id: ConversationId,
        wanted: TrySpeechIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> TriedSpeechOut:
        """Shown live, with the state that follows from it."""

        async def speak() -> TriedSpeechOut:
            source = await parts.source(caller, conversation_id)
            speech = Speech(wanted.kind, wanted.role, wanted.utterance_id)
            await parts.talk.speech(source, speech)
            status = await parts.talk.state(caller.tenant_id, conversation_id)
            return TriedSpeechOut(state=status.state)

        return await counted(POST_TEST, speak())


def _add_reading(router: APIRouter, parts: Parts) -> None:
    @router.get(
        "/{conversation_id}/state-transitions",
        summary="Which states it went through",
        dependencies=[Depends(parts.wait_until_stored)],
    )
    async def get_state_transitions(
        conversation_id: ConversationId, caller: Caller
    ) -> TransitionsOut:
        """What was asked for, in the order of the log, granted or not."""
        await parts.refuse_reading(caller, conversation_id)
        rows = await parts.store.requests(caller.tenant_id, conversation_id, MAX_TRANSITIONS)
        key = event_key(caller.tenant_id, conversation_id)
        return TransitionsOut(transitions=[_transition(row, key) for row in rows])

    @router.get(
        "/{conversation_id}/stress-test",
        summary="Say a lot",
        responses=documented(409),
    )
    async def get_stress_test(
        conversation_id: ConversationId,
        caller: Caller,
        count: Annotated[int, Query(ge=1, le=MAX_STRESS)] = 100,
    ) -> StressOut:
        """Records so many messages, and tells how fast that went. It does write, though a GET."""
        caller.requires(Permission.ANSWER)
        source = await parts.source(caller, conversation_id)
        turns = asyncio.Semaphore(STRESS_AT_ONCE)

        async def say(number: int) -> bool:
            async with turns:
                said = _utterance(f"Message {number} of a stress test.", random_id())
                try:
                    await parts.talk.record(source, said)
                except Refused:
                    return False
                return True

        began_s = clock.monotonic()
        ok_count = sum(await asyncio.gather(*(say(number) for number in range(count))))
        seconds = max(clock.monotonic() - began_s, 1e-6)
        return StressOut(
            message_count=count,
            ok_count=ok_count,
            refused_count=count - ok_count,
            seconds=seconds,
            messages_per_second=ok_count / seconds,
        )


def _utterance(text: str, name: str) -> Utterance:
    return Utterance(name, MessageRecorded(Role.USER, Content(text)))


def _transition(row: Row, key: bytes) -> TransitionTriedOut:
    position = Position(row["incarnation"], row["partition"], row["log_offset"])
    record = LogRecord(
        "", position.partition, position.offset, row["append_time"], key, row["value"]
    )
    body = decode_event(record).body
    assert isinstance(body, StateRequested)  # noqa: S101 - only requests are granted or not
    return TransitionTriedOut(
        source=body.source,
        target=body.target,
        cause=body.cause,
        is_granted=row["is_granted"],
        appended_at=row["append_time"],
        position=str(position),
    )
