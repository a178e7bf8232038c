"""Which events are valid (version 1): one rule, so that every consumer skips the same records."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from parley.codec.record import InvalidRecord
from parley.events import (
    PARTITION_WIDE,
    Content,
    ConversationCreated,
    ConversationUpdated,
    Event,
    MessageRecorded,
    MessageRevised,
    Policy,
    PreferencesChanged,
    RecordRejected,
    SealForced,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
    StateRequested,
)

VALIDITY_VERSION: Final = 1

# Below the broker's default of 1,048,588 with room for headers and the batch's own bytes.
MAX_RECORD_BYTES: Final = 1_000_000
MAX_ID_BYTES: Final = 512
# How far a gateway's clock may lie from the broker's before it is corrected.
RECEIVED_AT_TOLERANCE: Final = timedelta(minutes=5)
# The client's time is believed within these years; anything else is a broken clock's bit pattern.
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
MAX_IDLE_GAP: Final = timedelta(days=366)
MAX_MESSAGES: Final = 1_000_000
# Beyond it a float is long zero or infinite.
LARGEST_EXPONENT: Final = 1_000
# PostgreSQL's numeric, and so jsonb, ends there; what is too great for it no parser takes.
MAX_DIGITS_AFTER_POINT: Final = 16_383
_LONG_NUMBER: Final = re.compile(r"[eE][+-]?\d{4}|\d{1000}")
# Of what is JSON: its texts, which are passed over, and its numbers in their parts.
_TEXT_OR_NUMBER: Final = re.compile(
    r'"(?:[^"\\]++|\\.)*+"|\d++(?:\.(?P<after_point>\d++))?+(?:[eE](?P<exponent>[+-]?\d++))?+'
)
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")

_SESSION_BODIES: Final = (SessionStarted, SessionResumed, SessionRefreshed, SessionEnded)


def check(event: Event) -> None:
    """Raise InvalidRecord unless the event may be stored and sealed."""
    check_all_but_policy(event)
    if not isinstance(event.body, PARTITION_WIDE):
        check_policy(event.policy)


def check_all_but_policy(event: Event) -> None:
    """`check` for who has looked at the policy before: there are few, and many events."""
    check_uuid("event_id", event.event_id)
    _check_ids(event)
    _check_times(event)
    if isinstance(event.body, RecordRejected):
        check_uuid("rejected_event_id", event.body.rejected_event_id)
    if isinstance(event.body, PARTITION_WIDE):
        return
    if not event.tenant_id or not event.conversation_id:
        raise InvalidRecord("missing_id", "tenant and conversation must be named")
    _check_body(event)


def _check_ids(event: Event) -> None:
    check_ids(
        event.tenant_id,
        event.conversation_id,
        event.session_id,
        event.user_id,
        event.sender,
        event.client_id,
        event.client_message_id,
        event.connection_id,
        event.gateway_id,
        event.channel,
        event.import_id or "",
        event.policy.policy_id,
    )


def check_ids(*texts: str) -> None:
    """Raise InvalidRecord unless all of them may be ids."""
    # All at once, since every event has twelve: together they are seldom longer than one may be.
    together = "".join(texts)
    if "\0" in together:
        raise InvalidRecord("nul", "an id holds a NUL character")
    if len(together) <= MAX_ID_BYTES and together.isascii():
        return
    if any(len(text.encode()) > MAX_ID_BYTES for text in texts):
        raise InvalidRecord("id_too_long", f"an id is longer than {MAX_ID_BYTES} bytes")


def check_name(what: str, text: str) -> None:
    """Raise InvalidRecord unless `text` may name something: as ids may, and it is not empty."""
    if not text or "\0" in text or len(text.encode()) > MAX_ID_BYTES:
        raise InvalidRecord("name", f"a {what} must have 1 to {MAX_ID_BYTES} bytes, and no NUL")


def _check_times(event: Event) -> None:
    check_times(event.event_time, event.received_at, event.occurred_at, event.sent_at)


def check_times(*moments: datetime | None) -> None:
    """Raise InvalidRecord unless all of them lie in the years that are believed."""
    for moment in moments:
        if moment is not None and not EARLIEST <= moment < LATEST:
            raise InvalidRecord("time", "a timestamp lies outside the years 1900 to 2200")


def check_policy(policy: Policy) -> None:
    """Raise InvalidRecord for a policy that could not be followed."""
    if not timedelta(0) < policy.idle_gap <= MAX_IDLE_GAP:
        raise InvalidRecord("policy", "the idle gap must be positive and at most 366 days")
    if not timedelta(0) <= policy.grace <= MAX_IDLE_GAP:
        raise InvalidRecord("policy", "the grace must be between 0 and 366 days")
    if not timedelta(0) < policy.max_duration <= MAX_IDLE_GAP:
        raise InvalidRecord("policy", "the longest duration must be between 0 and 366 days")
    if not 1 <= policy.max_messages <= MAX_MESSAGES:
        raise InvalidRecord("policy", f"the most messages must be 1 to {MAX_MESSAGES}")


def _check_body(event: Event) -> None:
    body = event.body
    if isinstance(body, MessageRecorded):
        check_message(body)
        return
    if isinstance(body, MessageRevised):
        check_uuid("target_event_id", body.target_event_id)
        _check_content(body.content)
    elif isinstance(body, _SESSION_BODIES):
        _check_session(event.session_id, body.generation)
    for text in _json_texts(body):
        check_json_object(text)
    for text in _plain_texts(body):
        _check_text(text)


def check_message(message: MessageRecorded) -> None:
    """Raise InvalidRecord unless the message may be stored."""
    _, content, utterance_id, language = message
    text, audio_url, metadata_json = content
    # Written out: of messages there are very many, and a call takes longer than to look.
    if "\0" in text or (audio_url and "\0" in audio_url):
        raise _nul()
    if metadata_json:
        check_json_object(metadata_json)
    if "\0" in utterance_id or "\0" in language:
        raise _nul()


def _check_session(session_id: str, generation: int) -> None:
    if not session_id:
        raise InvalidRecord("missing_id", "a session event must name its session")
    if generation < 1:
        raise InvalidRecord("generation", "generations count from 1")


def _check_content(content: Content) -> None:
    _check_text(content.text)
    _check_text(content.audio_url or "")
    check_json_object(content.metadata_json)


def _json_texts(body: object) -> Iterator[str]:
    if isinstance(body, ConversationCreated | SessionStarted):
        yield body.metadata_json
    elif isinstance(body, ConversationUpdated):
        yield body.metadata_json or ""
    elif isinstance(body, PreferencesChanged):
        yield body.free_json


def _plain_texts(body: object) -> Iterator[str]:
    if isinstance(body, ConversationCreated | ConversationUpdated):
        yield from (body.title or "", body.personality or "")
        if isinstance(body, ConversationUpdated):
            yield body.channel or ""
    elif isinstance(body, SessionStarted | SessionResumed):
        yield from (body.connection_id, body.client_ip, body.user_agent)
    elif isinstance(body, PreferencesChanged):
        yield from (body.personality, body.language, body.voice)
    elif isinstance(body, StateRequested):
        yield from (body.cause, body.request_id)
    elif isinstance(body, SealForced):
        yield from (body.request_id, body.requested_by, body.reason)


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID as Parley writes them."""
    return _UUID.match(text) is not None


def check_uuid(name: str, text: str) -> None:
    """Raise InvalidRecord unless `text` is a UUID as Parley writes them."""
    if _UUID.match(text) is None:
        raise InvalidRecord("event_id", f"{name} is not a lower-case UUID")


def _check_text(text: str) -> None:
    # PostgreSQL's text cannot hold it.
    if "\0" in text:
        raise _nul()


def _nul() -> InvalidRecord:
    return InvalidRecord("nul", "a text holds a NUL character")


def check_json_object(text: str) -> None:
    """Raise InvalidRecord unless `text` is empty or a JSON object that PostgreSQL can hold."""
    if not text:
        return
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRecord("json", "metadata is not valid JSON") from error
    if not isinstance(value, dict):
        raise InvalidRecord("json", "metadata is not a JSON object")
    # It may stand in a string, so it only calls for a closer look.
    if _LONG_NUMBER.search(text):
        _check_numbers(text)
    # The escape may itself be escaped, so its presence only calls for a closer look.
    if "\\u0000" in text and _holds_nul(value):
        raise InvalidRecord("nul", "metadata holds a NUL character")


def _check_numbers(text: str) -> None:
    # Not by a parser, whose depth is that of who calls it: all must say the same of a record.
    for found in _TEXT_OR_NUMBER.finditer(text):
        after_point, exponent = found["after_point"], found["exponent"]
        if after_point is not None or exponent is not None:
            _check_number(after_point or "", exponent or "")


def _check_number(after_point: str, exponent_text: str) -> None:
    digits = exponent_text.lstrip("+-").lstrip("0")
    # Python makes no number of very many digits, and 4 are too many.
    exponent = int(digits[:5] or "0")
    if exponent_text.startswith("-"):
        exponent = -exponent
    if abs(exponent) > LARGEST_EXPONENT or len(after_point) - exponent > MAX_DIGITS_AFTER_POINT:
        raise InvalidRecord("json", "metadata holds a number that no database can")


def _holds_nul(value: object) -> bool:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str) and "\0" in one:
            return True
        if isinstance(one, dict):
            pending.extend(one.keys())
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return False
