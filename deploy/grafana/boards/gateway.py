"""Clients: who is connected, what they send, and how fast it becomes durable."""

from typing import Final

from deploy.grafana.panels import Board, Panel, Query, Unit, process_panels, quantile, rate

GATEWAY: Final = Board(
    "parley-gateway",
    "Parley: gateway",
    "Clients: who is connected, what they send, and how fast it becomes durable.",
    [
        Panel(
            "Connections",
            Unit.COUNT,
            "WebSockets that are open, and conversations that are open here or were a while ago.",
            [
                Query("sum by (instance) (parley_gateway_connections)", "connections {{instance}}"),
                Query("sum by (instance) (parley_gateway_rooms)", "conversations {{instance}}"),
            ],
        ),
        Panel(
            "Events by outcome",
            Unit.PER_SECOND,
            "What clients were told of their events. not_durable: Kafka did not acknowledge in "
            "time. "
            "overloaded: too many were waiting already.",
            [Query(rate("parley_gateway_events_total", "outcome"), "{{outcome}}")],
            is_stacked=True,
        ),
        Panel(
            "Time until Kafka's acknowledgement",
            Unit.SECONDS,
            "From an event's arrival to Kafka's acknowledgement. Slow for all gateways is "
            "Kafka; slow "
            "for one is its network or its processor.",
            [
                Query(quantile(share, "parley_gateway_ack_seconds"), f"p{share * 100:.0f}")
                for share in (0.5, 0.95, 0.99)
            ],
        ),
        Panel(
            "Unacknowledged events",
            Unit.COUNT,
            "Events that Kafka has not acknowledged yet. Alerts at 1,000 and 5,000; at 10,000 "
            "events "
            "are refused.",
            [Query("parley_gateway_unacknowledged_events", "{{instance}}")],
        ),
        Panel(
            "Frames in, by type",
            Unit.PER_SECOND,
            "Frames and requests that came in.",
            [Query(rate("parley_gateway_frames_total", "type"), "{{type}}")],
            is_stacked=True,
        ),
        Panel(
            "Frames and requests that were refused",
            Unit.PER_SECOND,
            "By what their sender was told. Most are a client's own fault.",
            [
                Query(
                    rate("parley_gateway_frames_total", "outcome", where='outcome!="ok"'),
                    "{{outcome}}",
                )
            ],
        ),
        Panel(
            "Frames out, by type",
            Unit.PER_SECOND,
            "Frames that were sent on to connections. One message to a room of ten is ten.",
            [Query(rate("parley_gateway_frames_out_total", "type"), "{{type}}")],
            is_stacked=True,
        ),
        Panel(
            "Sessions",
            Unit.PER_SECOND,
            "Sessions that began, came back and ended here.",
            [
                Query(rate("parley_gateway_sessions_started_total"), "started"),
                Query(rate("parley_gateway_sessions_resumed_total"), "resumed"),
                Query(rate("parley_gateway_sessions_ended_total"), "ended"),
            ],
        ),
        Panel(
            "Resumes by outcome",
            Unit.PER_SECOND,
            "Clients that came back with a position, by where what they missed was. Many from "
            "history, "
            "not memory: they stay away for long, or the memory for it is small.",
            [Query(rate("parley_gateway_resumes_total", "outcome"), "{{outcome}}")],
        ),
        Panel(
            "Evictions and refusals",
            Unit.PER_SECOND,
            "Connections that were closed, limits that were reached, tokens and keys that were "
            "refused.",
            [
                Query(rate("parley_gateway_evictions_total", "reason"), "closed: {{reason}}"),
                Query(rate("parley_gateway_limit_refusals_total", "limit"), "limit: {{limit}}"),
                Query(rate("parley_gateway_access_refused_total", "reason"), "access: {{reason}}"),
            ],
        ),
        Panel(
            "The log not yet shown",
            Unit.COUNT,
            "Records of the log that a gateway has not passed on to its connections yet. Above "
            "10,000 it "
            "is not ready.",
            [Query("parley_gateway_tail_lag_records", "{{instance}}")],
        ),
        Panel(
            "Live frames that were dropped",
            Unit.PER_SECOND,
            "Nobody was promised them: Kafka was behind, or a reader was slow.",
            [Query(rate("parley_gateway_live_dropped_total", "reason"), "{{reason}}")],
        ),
        Panel(
            "Answers of the responder",
            Unit.PER_SECOND,
            "By what became of them: ok, offline (the shipped answers), or why there is none.",
            [Query(rate("parley_gateway_replies_total", "outcome"), "{{outcome}}")],
        ),
        *process_panels("gateway"),
    ],
)
