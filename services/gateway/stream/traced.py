"""An event's way into the log as a span, from its submission until its outcome is told."""

from opentelemetry.trace import SpanKind, Status, StatusCode

from parley.tracing import TRACING
from services.gateway.core.refusals import Refused
from services.gateway.stream.submission import Outcome, Submission


def trace(submission: Submission) -> None:
    """Let the record carry the trace on; the span ends when its outcome is told."""
    span = TRACING.begin(
        f"send {submission.topic}",
        SpanKind.PRODUCER,
        {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.destination.name": submission.topic,
            "messaging.message.id": submission.event_id,
        },
    )
    then = submission.then

    def end(outcome: Outcome) -> None:
        if isinstance(outcome, Refused):
            span.set_status(Status(StatusCode.ERROR, outcome.code.value))
        span.end()
        if then is not None:
            then(outcome)

    submission.then = end
    submission.headers = (*submission.headers, *TRACING.headers(span))
