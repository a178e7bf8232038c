"""Traces from a client's frame to a verdict: OpenTelemetry, where PARLEY_TRACING is on.

A record of the log carries the W3C `traceparent` of what wrote it. Who reads records links to
them rather than being their child: a batch has many, and a segment outlives every call.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from parley.codec import Header, LogRecord

TRACEPARENT: Final = "traceparent"
# OpenTelemetry keeps no more of one span; a batch that is larger links to its newest records.
MOST_LINKS: Final = 128

Attributes = Mapping[str, str | int]
NO_ATTRIBUTES: Final[Attributes] = MappingProxyType({})

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_SCOPE: Final = "parley"


class Tracing:
    """The traces of a process: nothing is made and nothing is sent before `start`."""

    def __init__(self) -> None:
        self._provider: Any = None
        self._tracer: trace.Tracer = trace.NoOpTracer()
        self.is_on = False

    def start(self, service: str) -> None:
        """Send spans over OTLP, to where the usual variables (OTEL_EXPORTER_OTLP_ENDPOINT) say."""
        # Half a second to import, which nobody pays who traces nothing.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        resource = Resource.create({"service.name": f"parley-{service}"})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_SCOPE)
        self.is_on = True

    def stop(self) -> None:
        """Send what was not sent yet."""
        if self._provider is not None:
            self._provider.shutdown()
        self._provider, self._tracer, self.is_on = None, trace.NoOpTracer(), False

    def begin(self, name: str, kind: SpanKind, attributes: Attributes = NO_ATTRIBUTES) -> Span:
        """A span that the caller ends; the current one is its parent."""
        return self._tracer.start_span(name, kind=kind, attributes=attributes)

    @contextmanager
    def within(self, traceparent: str | None) -> Iterator[None]:
        """What is begun in the block belongs to somebody else's span, where one is named."""
        # A client may write anything into its frame.
        if not self.is_on or not isinstance(traceparent, str):
            yield
            return
        token = attach(_context(traceparent))
        try:
            yield
        finally:
            detach(token)

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes = NO_ATTRIBUTES,
        links: Sequence[str] = (),
    ) -> Iterator[Span]:
        """A span around the block, current within it; an error is told by its type alone."""
        if not self.is_on:
            yield trace.INVALID_SPAN
            return
        linked = [Link(one) for one in map(_span_context, links) if one.is_valid]
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            links=linked,
            attributes=attributes,
            # What an exception says may quote the conversation.
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            try:
                yield made
            except BaseException as error:
                made.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def of_batch(self, consumer: str, records: Sequence[LogRecord]) -> AbstractContextManager[Span]:
        """A span around the work on records of one partition, linked to what wrote them."""
        if not self.is_on:
            return self.span("", SpanKind.CONSUMER)
        topic, partition = records[0].topic, records[0].partition
        attributes: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.batch.message_count": len(records),
            "messaging.consumer.group.name": f"parley-{consumer}.{topic}",
        }
        newest = filter(None, map(traceparent_of, records[-MOST_LINKS:]))
        return self.span(f"process {topic}", SpanKind.CONSUMER, attributes, list(newest))

    def traceparent(self) -> str:
        """The current span as records name it; empty where nothing is traced."""
        return dict(self.headers()).get(TRACEPARENT, b"").decode()

    def headers(self, span: Span | None = None) -> tuple[Header, ...]:
        """What a record says of the span that writes it: the current one, where none is named."""
        if not self.is_on:
            return ()
        carrier: dict[str, str] = {}
        context = None if span is None else trace.set_span_in_context(span)
        _PROPAGATOR.inject(carrier, context)
        return tuple((name, value.encode()) for name, value in carrier.items())


TRACING: Final = Tracing()


def traceparent_of(record: LogRecord) -> str:
    """The `traceparent` of a record; empty where it has none."""
    for name, value in record.headers:
        if name == TRACEPARENT:
            return value.decode(errors="replace")
    return ""


def _context(traceparent: str) -> Context:
    return _PROPAGATOR.extract({TRACEPARENT: traceparent})


def _span_context(traceparent: str) -> trace.SpanContext:
    return trace.get_current_span(_context(traceparent)).get_span_context()
