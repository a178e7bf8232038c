"""An OpenTelemetry collector on loopback, for the spans of a test's processes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it was sent; ids are hexadecimal, a parent's is empty where there is none."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    """The ids of the spans that it links to."""
    attributes: tuple[tuple[str, str], ...]
    status: str


class Collector:
    """What was sent so far."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._spans: list[SeenSpan] = []
        self._lock = threading.Lock()

    @property
    def variables(self) -> dict[str, str]:
        """What makes a process send here, and soon."""
        return {
            "PARLEY_TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }

    def take(self, body: bytes) -> None:
        """Keep the spans of a request."""
        seen = list(_spans(ExportTraceServiceRequest.FromString(body)))
        with self._lock:
            self._spans += seen

    def spans(self, service: str = "", name: str = "") -> list[SeenSpan]:
        """Those of a service whose name begins so."""
        with self._lock:
            found = list(self._spans)
        return [
            one
            for one in found
            if one.service.startswith(f"parley-{service}") and one.name.startswith(name)
        ]


def _spans(request: ExportTraceServiceRequest) -> Iterator[SeenSpan]:
    for resource in request.resource_spans:
        named = {one.key: one.value.string_value for one in resource.resource.attributes}
        for scope in resource.scope_spans:
            for one in scope.spans:
                yield SeenSpan(
                    service=named["service.name"],
                    name=one.name,
                    trace_id=one.trace_id.hex(),
                    span_id=one.span_id.hex(),
                    parent_id=one.parent_span_id.hex(),
                    links=tuple(link.span_id.hex() for link in one.links),
                    attributes=tuple((two.key, str(two.value)) for two in one.attributes),
                    status=one.status.message,
                )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that listens until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
