"""An event's way into the log as a span, from its submission until its outcome is told."""

from opentelemetry.trace import SpanKind, Status, StatusCode

from parley.codec.events import EVENT_HEADERS
from parley.tracing import TRACING
from services.gateway.core.refusals import Refused
from services.gateway.stream.submission import Outcome, Submission, Then


def traced(
    topic: str,
    key: bytes,
    value: bytes,
    event_id: str,
    submitted_s: float,
    deadline_s: float,
    then: Then,
) -> Submission:
    """A submission whose record carries the trace on; the span ends when its outcome is told."""
    span = TRACING.begin(
        f"send {topic}",
        SpanKind.PRODUCER,
        {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            "messaging.message.id": event_id,
        },
    )

    def end(outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            span.set_status(Status(StatusCode.ERROR, outcome.code.value))
        span.end()
        then(outcome)

    headers = (*EVENT_HEADERS, *TRACING.headers(span))
    return Submission(topic, key, value, event_id, submitted_s, deadline_s, end, headers)
