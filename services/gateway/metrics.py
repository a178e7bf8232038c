"""What the gateway counts; labels hold no id of a tenant or a conversation."""

from prometheus_client import Counter, Gauge, Histogram

CONNECTIONS = Gauge("parley_gateway_connections", "WebSockets that are open.")
FRAMES = Counter(
    "parley_gateway_frames_total",
    "Frames and requests that came in, by type and what became of them.",
    ["type", "outcome"],
)
ACK_SECONDS = Histogram(
    "parley_gateway_ack_seconds",
    "Seconds from an event's arrival to Kafka's acknowledgement.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
UNACKNOWLEDGED = Gauge(
    "parley_gateway_unacknowledged_events",
    "Events that Kafka has not acknowledged yet, those given up for the client included.",
)
TIMES_CLAMPED = Counter(
    "parley_gateway_event_times_clamped_total",
    "Events whose client claimed an unbelievable time or age.",
)
SESSIONS_STARTED = Counter("parley_gateway_sessions_started_total", "Sessions that began here.")
SESSIONS_RESUMED = Counter("parley_gateway_sessions_resumed_total", "Sessions that came back here.")
SESSIONS_ENDED = Counter(
    "parley_gateway_sessions_ended_total", "Sessions that this gateway ended.", ["reason"]
)
