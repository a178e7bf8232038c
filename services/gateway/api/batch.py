"""Many messages in one request, for servers: one result each, in their order."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from parley.codec.validity import EARLIEST, LATEST
from services.gateway import metrics
from services.gateway.access import Caller, Identity, Permission
from services.gateway.api.fields import IdempotencyKey, ImportIdInQuery
from services.gateway.api.import_log import PastMessage
from services.gateway.api.imports import imports_of
from services.gateway.api.messages import utterance_of
from services.gateway.api.models import Id, MessageIn, Request
from services.gateway.api.parts import Parts
from services.gateway.api.problems import REF
from services.gateway.core.events import Source
from services.gateway.core.frames import Utterance
from services.gateway.core.refusals import Code, Refused
from services.gateway.stream import Recorded

MAX_MESSAGES: Final = 1_000
BATCH_MESSAGE: Final = "batch_message"
# The empty schema is anything: a request with a wrong message in it is answered all the same.
_ANY_MESSAGE: Final[dict[str, Any]] = {"anyOf": [{"$ref": REF.format(model="BatchMessageIn")}, {}]}


class BatchMessageIn(MessageIn):
    """A message, and the conversation that it belongs to. It needs an id."""

    conversation_id: Annotated[Id, Field(min_length=1)]
    id: Annotated[Id, Field(min_length=1)]


class BatchIn(Request):
    """Messages of any conversations; of one conversation they are recorded in this order."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "messages": [
                        {"conversation_id": "c-1", "id": "1", "text": "Hello!", "user_id": "u-1"},
                        {"conversation_id": "c-2", "id": "2", "text": "Hi.", "role": "assistant"},
                    ]
                }
            ]
        }
    )

    # Each is checked by itself, so that one that is wrong does not spoil the others.
    messages: list[Annotated[JsonValue, WithJsonSchema(_ANY_MESSAGE)]] = Field(
        min_length=1,
        max_length=MAX_MESSAGES,
        description="Each a BatchMessageIn; what is none is refused by itself.",
    )


class BatchResult(BaseModel):
    """What became of one message."""

    status: Literal["ok", "refused"]
    event_id: str | None = None
    position: str | None = None
    code: Code | None = None
    message: str | None = None
    retryable: bool = False
    retry_after_ms: int | None = None


class BatchOut(BaseModel):
    """One result for each message, in their order."""

    results: list[BatchResult]
    ok_count: int
    refused_count: int


_ITEM: Final[TypeAdapter[BatchMessageIn]] = TypeAdapter(BatchMessageIn)


def add_batch(router: APIRouter, parts: Parts) -> None:
    """The route for batches."""

    @router.post("/api/v2/events:batch", tags=["servers"], summary="Record up to 1,000 messages")
    async def post_batch(
        batch: BatchIn,
        caller: Caller,
        import_id: ImportIdInQuery = None,
        idempotency_key: IdempotencyKey = None,
    ) -> BatchOut:
        """Answers when each is durable or refused; send again, by the same ids, what may be.

        200 also where all were refused. The ids make it safe to repeat, with a key or without.

        With `import_id` the messages are of the past: each needs `occurred_at`, which is kept as
        it is; `client_id` and `session_id` do not count, and no conversation's state changes. That
        the import was started, and is not finished, is not checked.
        """
        caller.requires(Permission.ANSWER if import_id is None else Permission.IMPORT)
        parts.spend(caller, caller.user_id, len(batch.messages))
        if import_id is None:
            results = await _record(parts, caller, batch.messages)
        else:
            results = await _import(parts, caller, import_id, batch.messages)
        return _counted([_result(one) for one in results])


async def _record(
    parts: Parts, caller: Identity, messages: Sequence[JsonValue]
) -> list[Recorded | Refused]:
    read = [_tried(one) for one in messages]
    good = [
        (_source(parts, caller, one), said)
        for one, said in (pair for pair in read if not isinstance(pair, Refused))
    ]
    recorded = iter(
        await _as_before(parts, good, await parts.talk.record_all(caller.tenant_id, good))
    )
    return [one if isinstance(one, Refused) else next(recorded) for one in read]


async def _as_before(
    parts: Parts,
    messages: Sequence[tuple[Source, Utterance]],
    outcomes: Sequence[Recorded | Refused],
) -> list[Recorded | Refused]:
    """The outcomes, but for messages that were stored before their conversation ended."""
    late = [
        source.event_id(said.client_message_id)
        for (source, said), outcome in zip(messages, outcomes, strict=True)
        if isinstance(outcome, Refused) and outcome.code is Code.CONVERSATION_ENDED
    ]
    if not late:
        return list(outcomes)
    known = await parts.recorded_before(messages[0][0].tenant_id, late)
    pairs = zip(messages, outcomes, strict=True)
    return [
        known.get(source.event_id(said.client_message_id), outcome)
        if isinstance(outcome, Refused)
        else outcome
        for (source, said), outcome in pairs
    ]


async def _import(
    parts: Parts, caller: Identity, import_id: str, messages: Sequence[JsonValue]
) -> list[Recorded | Refused]:
    imports = imports_of(parts, caller, import_id)
    read = [_tried_past(one) for one in messages]
    good = [one for one in read if not isinstance(one, Refused)]
    recorded = iter(await imports.record_all(caller.tenant_id, import_id, good))
    return [one if isinstance(one, Refused) else next(recorded) for one in read]


def _tried(value: JsonValue) -> tuple[BatchMessageIn, Utterance] | Refused:
    try:
        message = _ITEM.validate_python(value)
        return message, utterance_of(message, message.id)
    except ValidationError as error:
        return Refused(Code.INVALID_FRAME, _what_is_wrong(error))
    except Refused as refused:
        return refused


def _tried_past(value: JsonValue) -> PastMessage | Refused:
    read = _tried(value)
    if isinstance(read, Refused):
        return read
    message, said = read
    occurred_at = message.occurred_at
    if occurred_at is None or not EARLIEST <= occurred_at < LATEST:
        return Refused(
            Code.INVALID_FRAME,
            "an imported message needs occurred_at, within the years 1900 to 2200",
        )
    return PastMessage(
        message.conversation_id,
        message.id,
        said.body,
        occurred_at,
        message.user_id,
        message.channel,
    )


def _source(parts: Parts, caller: Identity, message: BatchMessageIn) -> Source:
    return parts.publisher.source(
        message.conversation_id,
        message.channel,
        caller.tenant_id,
        sender=caller.subject,
        user_id=caller.speaks_as(message.user_id),
        client_id=message.client_id,
        session_id=message.session_id,
    )


def _what_is_wrong(error: ValidationError) -> str:
    first: Any = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _result(outcome: Recorded | Refused) -> BatchResult:
    if isinstance(outcome, Recorded):
        metrics.FRAMES.add(BATCH_MESSAGE, "ok")
        return BatchResult(status="ok", event_id=outcome.event_id, position=str(outcome.position))
    metrics.FRAMES.add(BATCH_MESSAGE, outcome.code)
    return BatchResult(
        status="refused",
        code=outcome.code,
        message=outcome.message,
        retryable=outcome.is_retryable,
        retry_after_ms=outcome.retry_after_ms,
    )


def _counted(results: Sequence[BatchResult]) -> BatchOut:
    ok_count = sum(one.status == "ok" for one in results)
    return BatchOut(results=list(results), ok_count=ok_count, refused_count=len(results) - ok_count)
