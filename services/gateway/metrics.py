"""What the gateway counts; labels hold no id of a tenant or a conversation."""

from prometheus_client import Counter, Gauge, Histogram

from parley.tallies import Durations, Tallies

CONNECTIONS = Gauge("parley_gateway_connections", "WebSockets that are open.")
FRAMES = Tallies(
    "parley_gateway_frames_total",
    "Frames and requests that came in, by type and what became of them.",
    ["type", "outcome"],
)
ACK_SECONDS = Durations(
    "parley_gateway_ack_seconds",
    "Seconds from an event's arrival to Kafka's acknowledgement.",
    bounds=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
EVENTS = Tallies(
    "parley_gateway_events_total",
    "Events that were to become durable, by what their sender was told: durable, not_durable "
    "or overloaded.",
    ["outcome"],
    known=[("durable",), ("not_durable",), ("overloaded",)],
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
ACCESS_REFUSED = Counter(
    "parley_gateway_access_refused_total", "Tokens and keys that were refused.", ["reason"]
)
CONFIG_ENTRIES = Gauge(
    "parley_gateway_config_entries",
    "Tenants, API keys and versions of gap policies that the gateway knows.",
    ["kind"],
)
JWKS_KEYS = Gauge("parley_gateway_jwks_keys", "Keys that tokens may be signed with.")
JWKS_RELOADS = Counter(
    "parley_gateway_jwks_reloads_total",
    "Times that the file of keys had changed, by what became of it: taken or broken.",
    ["outcome"],
)
FRAMES_OUT = Counter(
    "parley_gateway_frames_out_total", "Frames sent on to connections, by type.", ["type"]
)
LIVE_DROPPED = Counter(
    "parley_gateway_live_dropped_total",
    "Live frames that were not passed on, by why: Kafka is behind, a reader is slow.",
    ["reason"],
)
LIVE_INVALID = Counter(
    "parley_gateway_live_invalid_total", "Records of the live topic that could not be read."
)
ROOMS = Gauge("parley_gateway_rooms", "Conversations that are open here or were a while ago.")
TAIL_LAG = Gauge(
    "parley_gateway_tail_lag_records", "Records of the log that this gateway has not passed on yet."
)
TAIL_ERRORS = Counter(
    "parley_gateway_tail_errors_total",
    "Records that could not be shown to anybody because of a fault of the gateway.",
)
REJECTED = Counter(
    "parley_gateway_records_rejected_total",
    "Records of the log that a table refused although they were valid, and that are dropped here.",
)
RESUMES = Counter(
    "parley_gateway_resumes_total",
    "Clients that came back with a position, by where what they missed was: memory, history, "
    "or why they could not be given it.",
    ["outcome"],
)
EVICTIONS = Counter(
    "parley_gateway_evictions_total", "Connections that the gateway closed, by why.", ["reason"]
)
TRANSITIONS = Counter(
    "parley_gateway_transitions_total", "Transitions that were asked for here.", ["outcome"]
)
LIMIT_REFUSALS = Counter(
    "parley_gateway_limit_refusals_total",
    "Connections and frames that were refused because a limit was reached, by limit.",
    ["limit"],
)
REPLIES = Counter(
    "parley_gateway_replies_total",
    "Answers of the responder, by what became of them: ok, offline, or why there is none.",
    ["outcome"],
)
REPLY_SECONDS = Histogram(
    "parley_gateway_reply_seconds",
    "Seconds until the model had answered, retries included.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60),
)
REPLIES_UNDER_WAY = Gauge(
    "parley_gateway_replies_under_way", "Messages that the responder is answering now."
)
REPLY_RETRIES = Counter(
    "parley_gateway_reply_retries_total", "Requests to the model that were made again."
)
REPLY_TOKENS = Counter(
    "parley_gateway_reply_tokens_total",
    "Tokens that the model counted, by direction.",
    ["direction"],
)
