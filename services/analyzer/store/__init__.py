"""The analyzer's tables: jobs, what is known of them from the log, money, answers."""

from services.analyzer.store.claims import Claim, HeldOutcome, JobStore, Slots
from services.analyzer.store.jobs import apply_told, end_stale, insert_jobs, passed_ends
from services.analyzer.store.memory import Recalled
from services.analyzer.store.money import BudgetSpent, LeaseLost, Refusal, Reservation
from services.analyzer.store.rows import CONSUMER, attempt_of, publish, segment_of_row, to_outgoing

__all__ = [
    "CONSUMER",
    "BudgetSpent",
    "Claim",
    "HeldOutcome",
    "JobStore",
    "LeaseLost",
    "Recalled",
    "Refusal",
    "Reservation",
    "Slots",
    "apply_told",
    "attempt_of",
    "end_stale",
    "insert_jobs",
    "passed_ends",
    "publish",
    "segment_of_row",
    "to_outgoing",
]
