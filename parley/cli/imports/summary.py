"""What an import says in the end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from parley.cli.output import Output, print_data, stdout
from parley.importing.follow import Outcome
from parley.importing.prepared import Prepared
from parley.importing.publish import Published


def print_summary(facts: Mapping[str, Any], seconds: Mapping[str, float], output: Output) -> None:
    """Print the facts, and how long each phase took."""
    if output is not Output.TABLE:
        print_data(output, {**facts, "seconds": {k: round(v, 2) for k, v in seconds.items()}})
        return
    table = facts_table(facts)
    for name, taken in seconds.items():
        table.add_row(f"seconds: {name}", f"{taken:.1f}")
    stdout.print(table)


def facts_table(facts: Mapping[str, Any]) -> Table:
    """The facts for people, a row each."""
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), escape(_shown(value)))
    return table


def run_facts(
    prepared: Prepared, published: Published | None, outcome: Outcome | None
) -> dict[str, Any]:
    """What became of the import; nothing of a dry run."""
    facts: dict[str, Any] = {}
    if published is not None and published.resumed_count:
        facts["already_published"] = published.resumed_count
    return facts if outcome is None else {**facts, **_outcome_facts(prepared, outcome)}


def _outcome_facts(prepared: Prepared, outcome: Outcome) -> dict[str, Any]:
    facts = {
        "new_messages": outcome.new_messages,
        "already_known": prepared.message_count - outcome.new_messages - outcome.dead_letters,
        "segments": outcome.segments,
        "verdicts": outcome.verdicts,
    }
    if outcome.open_windows:
        facts["still_open"] = outcome.open_windows
    if outcome.dead_letters:
        facts["dead_letters"] = outcome.dead_letters
    return facts


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(value) if any(" " in one for one in value) else ", ".join(value)
    if isinstance(value, Mapping):
        return "\n".join(f"{_shown(count)} × {name}" for name, count in value.items())
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return f"{value:,}" if isinstance(value, int) else str(value or "")
