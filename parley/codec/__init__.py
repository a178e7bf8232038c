"""Bytes of the log to values and back, and the one rule of which records are valid."""

from parley.codec.analyses import decode_analysis, encode_analysis, encode_job_ended
from parley.codec.events import (
    MESSAGE_KIND,
    body_digest,
    decode_event,
    encode_event,
    glance_at,
)
from parley.codec.live import decode_live, encode_live
from parley.codec.record import Header, InvalidRecord, LogRecord, Outgoing, event_key
from parley.codec.seals import decode_seal, encode_seal
from parley.codec.validity import MAX_RECORD_BYTES, VALIDITY_VERSION

__all__ = [
    "MAX_RECORD_BYTES",
    "MESSAGE_KIND",
    "VALIDITY_VERSION",
    "Header",
    "InvalidRecord",
    "LogRecord",
    "Outgoing",
    "body_digest",
    "decode_analysis",
    "decode_event",
    "decode_live",
    "decode_seal",
    "encode_analysis",
    "encode_event",
    "encode_job_ended",
    "encode_live",
    "encode_seal",
    "event_key",
    "glance_at",
]
