"""What to do about what services say of themselves: a remedy for each known cause."""

from typing import Final

# A part of what is said, and what helps; the first one that fits counts.
_STOPPED: Final = (
    (
        "lost the end",
        "`parley topics repair` gives back what the tables have: docs/topics.md.",
    ),
    (
        "is missing from the log",
        "`parley topics repair` gives back what the tables have: docs/topics.md.",
    ),
    (
        "a wrong deploy?",
        "See what it would not take with `parley dead-letters list`: "
        "docs/faults-and-dead-letters.md.",
    ),
    (
        "made anew",
        "Restore the former topic, or empty the database and start again: docs/topics.md.",
    ),
    (
        "retention deleted",
        "Start the services from a database that has read that far: docs/topics.md.",
    ),
    (
        "later release",
        "Start that release: this one does not know the rule that is in the log.",
    ),
    (
        "this database follows",
        "Start the services with the topic's name that the reason gives.",
    ),
)
_UNHEALTHY: Final = (
    ("DiskFull", "Make room where PostgreSQL keeps its data; it goes on by itself."),
    ("53100", "Make room where PostgreSQL keeps its data; it goes on by itself."),
    ("53300", "PostgreSQL has no connection left: raise max_connections, or run fewer services."),
    ("InsufficientPrivilege", "Its login lacks a right: give it with `parley db logins create`."),
    ("permission denied", "Its login lacks a right: give it with `parley db logins create`."),
    ("UndefinedTable", "Run `parley db upgrade`."),
    ("UndefinedColumn", "Run `parley db upgrade`."),
    ("LockNotAvailable", "Somebody holds a lock on a table: see the line on locks."),
    ("tried again for", "What the reason names has to come back; then it goes on by itself."),
    (
        "Connection refused",
        "It is down, or starts just now: look again, then at its log.",
    ),
    ("timed out", "Its process stands still, or the machine is overloaded: see its pid."),
    ("does not answer", "The model's provider is down: docs/runbooks/provider-down.md."),
    ("PARLEY_WEBHOOK_KEY", "Give every analyzer the key the webhooks were made with, or rotate."),
    ("disabled by failures", "`parley webhooks list`, and `parley webhooks enable NAME`."),
    ("is suspended", "`parley passes list` and the analyzer's settings; see the line on passes."),
)


def for_stopped(reason: str) -> str | None:
    """What lets a partition go on; None where the page on faults has to be read."""
    return _first(_STOPPED, reason)


def for_unhealthy(detail: str) -> str | None:
    """What makes a service well; None where its log has to be read."""
    return _first(_UNHEALTHY, detail)


def _first(known: tuple[tuple[str, str], ...], said: str) -> str | None:
    return next((remedy for part, remedy in known if part in said), None)
