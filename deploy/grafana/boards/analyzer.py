"""Passes over sealed segments, live and backfilled, and what webhooks are told of them."""

from typing import Final

from deploy.grafana.boards.consumer_panels import consumer_panels
from deploy.grafana.panels import Board, Panel, Query, Unit, process_panels, quantile, rate

STANDING_STILL: Final = (
    Panel(
        "Messages that are not the sealed ones",
        Unit.COUNT,
        "Jobs that no pass is run for, since the tables hold other messages than were sealed.",
        [
            Query(
                'max(parley_analyzer_parked_jobs{reason="digest_mismatch"}) or vector(0)',
                "jobs",
            )
        ],
        is_stat=True,
        bad_above=0,
    ),
    Panel(
        "Suspended passes",
        Unit.COUNT,
        "Their jobs wait for other code, or for a model that takes what they ask.",
        [
            Query(
                "count(max by (pass_name) (parley_analyzer_suspended_passes) > 0) or vector(0)",
                "passes",
            )
        ],
        is_stat=True,
        bad_above=0,
    ),
    Panel(
        "Backfills stopped in a day",
        Unit.COUNT,
        "They could not go on: the seals topic is another one than they began with.",
        [Query('sum(increase(parley_backfill_runs_ended_total{end="stopped"}[24h]))', "backfills")],
        is_stat=True,
        bad_above=0,
    ),
    Panel(
        "Disabled webhooks",
        Unit.COUNT,
        "They are told nothing because they failed for long, until somebody enables them.",
        [Query("max(parley_webhooks_disabled)", "webhooks")],
        is_stat=True,
        bad_above=0,
    ),
)

BACKFILLS: Final = (
    Panel(
        "Backfills",
        Unit.COUNT,
        "Those that are not over, by state.",
        [Query("max by (state) (parley_backfill_runs)", "{{state}}")],
        is_stacked=True,
    ),
    Panel(
        "Seals that backfills have to read",
        Unit.COUNT,
        "Records, or stored segments, that are left of all backfills. It must fall while one runs.",
        [Query("max(parley_backfill_seals_left)", "left")],
    ),
    Panel(
        "Pace of backfills",
        Unit.PER_SECOND,
        "Seals read, jobs that were made of them, and jobs of theirs that were begun.",
        [
            Query(rate("parley_backfill_seals_read_total"), "seals read"),
            Query(rate("parley_backfill_jobs_enqueued_total"), "jobs made"),
            Query(
                rate("parley_analyzer_jobs_claimed_total", where='lane="backfill"'), "jobs begun"
            ),
        ],
    ),
    Panel(
        "Waits of backfills",
        Unit.PER_SECOND,
        "For their rate, their concurrency, or a consumer that has still to read what they are "
        "about.",
        [Query(rate("parley_backfill_waits_total", "reason"), "{{reason}}")],
        is_stacked=True,
    ),
)

WEBHOOKS: Final = (
    Panel(
        "Requests to webhooks",
        Unit.PER_SECOND,
        "By what became of them. What fails is sent again, under the same id.",
        [Query(rate("parley_webhook_attempts_total", "outcome"), "{{outcome}}")],
        is_stacked=True,
    ),
    Panel(
        "Time of a webhook's answer",
        Unit.SECONDS,
        "95 % answer within this time; after 10 s a request has failed.",
        [Query(quantile(0.95, "parley_webhook_attempt_seconds"), "p95")],
    ),
    Panel(
        "Deliveries that wait",
        Unit.COUNT,
        "Verdicts that webhooks have still to be told of.",
        [Query("max(parley_webhook_deliveries_waiting)", "deliveries")],
    ),
    Panel(
        "Oldest delivery",
        Unit.SECONDS,
        "How long the oldest of them waits. An hour is a receiver that fails.",
        [Query("max(parley_webhook_oldest_seconds)", "age")],
    ),
)

ANALYZER: Final = Board(
    "parley-analyzer",
    "Parley: analyzer and backfill",
    "Passes over sealed segments, live and backfilled: what waits, what ends, what models cost; "
    "and what webhooks are told.",
    [
        *STANDING_STILL,
        Panel(
            "Unfinished jobs",
            Unit.COUNT,
            "By state and lane. Live jobs are claimed before those of a backfill.",
            [Query("max by (state, lane) (parley_analyzer_jobs)", "{{lane}} {{state}}")],
            is_stacked=True,
        ),
        Panel(
            "Jobs that ended",
            Unit.PER_SECOND,
            "By how: a verdict, failed after all attempts, superseded by a later revision; or "
            "parked.",
            [Query(rate("parley_analyzer_jobs_ended_total", "end"), "{{end}}")],
            is_stacked=True,
        ),
        Panel(
            "From seal to verdict",
            Unit.SECONDS,
            "95 % of the verdicts are there within this time, by pass.",
            [
                Query(
                    quantile(0.95, "parley_analyzer_seal_to_verdict_seconds", "pass_name"),
                    "{{pass_name}}",
                )
            ],
        ),
        Panel(
            "Duration of a pass",
            Unit.SECONDS,
            "95 % of the runs over one segment take less.",
            [Query(quantile(0.95, "parley_analyzer_pass_seconds", "pass_name"), "{{pass_name}}")],
        ),
        Panel(
            "Parked jobs",
            Unit.COUNT,
            "By what they wait for: a provider, a budget, somebody.",
            [
                Query(
                    "max by (reason) (parley_analyzer_parked_jobs) "
                    'or on() label_replace(vector(0), "reason", "none", "", "")',
                    "{{reason}}",
                )
            ],
        ),
        Panel(
            "Failed attempts",
            Unit.PER_SECOND,
            "Attempts that raised, by pass. Most are tried again.",
            [Query(rate("parley_analyzer_attempts_failed_total", "pass_name"), "{{pass_name}}")],
        ),
        Panel(
            "Models that are not called",
            Unit.COUNT,
            "1: left alone since it did not answer; 0.5: one call finds out; 0: it has answered. "
            "The least of all analyzers, since each finds out for itself.",
            [Query("min by (model) (parley_analyzer_circuit_open)", "{{model}}")],
        ),
        Panel(
            "Requests to models",
            Unit.PER_SECOND,
            "By how they ended: answered, or why there is no answer.",
            [Query(rate("parley_analyzer_model_calls_total", "outcome"), "{{outcome}}")],
            is_stacked=True,
        ),
        Panel(
            "Time of a request to a model",
            Unit.SECONDS,
            "However it ended.",
            [
                Query(quantile(share, "parley_analyzer_model_seconds"), f"p{share * 100:.0f}")
                for share in (0.5, 0.95)
            ],
        ),
        Panel(
            "Tokens",
            Unit.PER_SECOND,
            "Tokens that models read (input) and wrote (output).",
            [Query(rate("parley_analyzer_model_tokens_total", "direction"), "{{direction}}")],
        ),
        Panel(
            "Costs of a day",
            Unit.DOLLARS,
            "What the answers of the last 24 hours cost, as far as the models' prices are known.",
            [
                Query(
                    "sum(increase(parley_analyzer_model_cost_dollars_total[24h])) or vector(0)",
                    "24 hours",
                )
            ],
        ),
        *BACKFILLS,
        *WEBHOOKS,
        *consumer_panels("analyzer.*"),
        *process_panels("analyzer"),
    ],
)
