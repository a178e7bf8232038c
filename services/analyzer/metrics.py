"""What the analyzer tells Prometheus; no label holds a tenant or a conversation."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

JOBS_ENDED: Final = Counter(
    "parley_analyzer_jobs_ended_total",
    "Jobs that reached an end, or were parked.",
    ["pass_name", "end", "reason"],
)
ATTEMPTS_FAILED: Final = Counter(
    "parley_analyzer_attempts_failed_total",
    "Attempts that are made again, those that do not count included.",
    ["pass_name", "reason"],
)
CLAIMED: Final = Counter(
    "parley_analyzer_jobs_claimed_total", "Jobs that were claimed, thus attempts.", ["kind", "lane"]
)
OUTCOMES_REFUSED: Final = Counter(
    "parley_analyzer_outcomes_refused_total",
    "Outcomes without effect: the job was superseded meanwhile, or the lease had run out.",
)
JOBS: Final = Gauge(
    "parley_analyzer_jobs",
    "Unfinished jobs in the table, the same for every analyzer.",
    ["state", "lane"],
)
JOBS_PARKED: Final = Gauge(
    "parley_analyzer_parked_jobs",
    "Jobs that wait for something else than a worker, by what: the same for every analyzer.",
    ["reason"],
)
SEAL_TO_VERDICT: Final = Histogram(
    "parley_analyzer_seal_to_verdict_seconds",
    "Seconds from a seal's append to its verdict's commit.",
    ["pass_name"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 3_600),
)
CALLS: Final = Counter(
    "parley_analyzer_calls_total",
    "Calls of models that were reserved for, thus made but for crashes.",
    ["pass_name"],
)
SPEND: Final = Counter(
    "parley_analyzer_spend_micro_usd_total",
    "Millionths of a US dollar that settled calls of this process cost.",
    ["pass_name", "lane"],
)
MEMO_HITS: Final = Counter(
    "parley_analyzer_memo_hits_total", "Jobs that needed no call.", ["pass_name"]
)
CIRCUIT: Final = Gauge(
    "parley_analyzer_circuit_open",
    "1 while a model is not called since it did not answer, 0.5 while one call finds out, 0 once "
    "it has answered.",
    ["model"],
)
