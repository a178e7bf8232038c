"""`parley explain` says of each pass that was not run over a segment, why."""

from datetime import timedelta
from typing import Any

import pytest

from parley.cli.not_due import NOT_ACTIVE_YET, NOT_READ_YET, not_due
from parley.cli.timeline import entries
from parley.config import ConfigChange
from parley.passes.catalog import NotDue
from parley.passes.definition import PassKind, Target
from tests.unit.passes.samples import CODE, NOON, active, applied, catalog, change

SEGMENT = "0c7e7f0a-5e2d-5d3c-9b43-3f1d7d6f0a11"
IN_FORCE = change(active((1, 0)))


def sections(after_s: int = 60, *, current: bool = True, **jobs: Any) -> dict[str, list[Any]]:
    revision = {
        "segment_id": SEGMENT,
        "revision": 2,
        "channel": "phone",
        "message_count": 4,
        "is_current": current,
        "sealed_at": NOON + timedelta(seconds=after_s),
    }
    return {"revisions": [revision], "conversation_jobs": [], "verdicts": [], **jobs}


def reasons(told: list[ConfigChange], found: dict[str, list[Any]]) -> list[str]:
    return [row["reason"] for row in not_due(catalog(*told), "acme", found)]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ([change(applied())], NotDue.NOT_ACTIVE),
        ([change(applied(target=Target(min_messages=5))), IN_FORCE], NotDue.FILTERED),
        ([change(applied(sampling=0.0)), IN_FORCE], NotDue.NOT_SAMPLED),
        ([change(applied(kind=PassKind.PROMPT)), IN_FORCE], NotDue.NOT_SUBSCRIBED),
    ],
)
def test_a_pass_that_is_not_for_the_segment_says_why(
    told: list[ConfigChange], reason: NotDue
) -> None:
    assert reasons(told, sections()) == [reason]


def test_a_pass_that_is_for_it_began_later_or_is_still_to_come() -> None:
    told = [change(applied(CODE)), IN_FORCE]
    assert reasons(told, sections(-60)) == [NOT_ACTIVE_YET]
    assert reasons(told, sections(60)) == [NOT_READ_YET]


def test_what_has_a_job_or_a_verdict_needs_no_reason_nor_does_a_former_revision() -> None:
    key = {"segment_id": SEGMENT, "revision": 2, "pass_name": "turns"}
    told = [change(applied(CODE))]
    assert reasons(told, sections(conversation_jobs=[key])) == []
    assert reasons(told, sections(verdicts=[key])) == []
    assert reasons(told, sections(verdicts=[{**key, "revision": 1}])) == [NotDue.NOT_ACTIVE]
    assert reasons(told, sections(current=False)) == []


def test_it_is_an_entry_that_says_what_to_do() -> None:
    told = catalog(change(applied(kind=PassKind.PROMPT)), IN_FORCE)
    (entry,) = entries({"not_due": not_due(told, "acme", sections())}, with_content=False)
    assert entry.kind == "no pass"
    assert "not run, since tenant acme is not subscribed to it" in entry.text
    assert "parley passes subscribe turns --tenant acme" in entry.text
    assert entry.as_json()["reason"] == "not_subscribed"
