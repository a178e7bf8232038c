"""Passes over sealed segments, live and backfilled: what waits, what ends, what models cost."""

from typing import Final

from deploy.grafana.boards.consumer_panels import consumer_panels
from deploy.grafana.panels import Board, Panel, Query, Unit, process_panels, quantile, rate

NO_MODEL: Final = "without a model's provider nothing is asked"

ANALYZER: Final = Board(
    "parley-analyzer",
    "Parley: analyzer and backfill",
    "Passes over sealed segments, live and backfilled: what waits, what ends, what models cost.",
    [
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
            rare=NO_MODEL,
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
        *consumer_panels("analyzer.*"),
        *process_panels("analyzer"),
    ],
)
