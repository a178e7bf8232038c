"""Why passes were not run over the segments of a conversation: rows for `parley explain`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from parley.passes.applied import AppliedPass
from parley.passes.catalog import Catalog, NotDue, SegmentFacts

Row = Mapping[str, Any]

NOT_ACTIVE_YET: Final = "not_active_yet"
NOT_READ_YET: Final = "not_read_yet"

_TEXTS: Final = {
    NotDue.NOT_ACTIVE: "no version is in force (parley passes enable {name})",
    NotDue.FILTERED: "its target leaves out such segments (parley passes show {name})",
    NotDue.NOT_SUBSCRIBED: "tenant {tenant} is not subscribed to it "
    "(parley passes subscribe {name} --tenant {tenant})",
    NotDue.NOT_SAMPLED: "its sample leaves out this segment (parley passes show {name})",
    NOT_ACTIVE_YET: "it was sealed before version {version} was put in force "
    "(parley backfill {name})",
    NOT_READ_YET: "the analyzer has not read the seal yet (parley status)",
}


def not_due(catalog: Catalog, tenant_id: str, sections: Mapping[str, list[Row]]) -> list[Row]:
    """A row for each current segment and each pass that has neither job nor verdict for it.

    By what operators say now: what they said when the segment was sealed may have been otherwise.
    """
    rows = [*sections["conversation_jobs"], *sections["verdicts"]]
    known = {(str(row["segment_id"]), row["revision"], row["pass_name"]) for row in rows}
    return [
        row
        for revision in sections["revisions"]
        if revision["is_current"]
        for row in _of_segment(catalog, tenant_id, revision)
        if (row["segment_id"], row["revision"], row["pass_name"]) not in known
    ]


def _of_segment(catalog: Catalog, tenant_id: str, revision: Row) -> Iterator[Row]:
    segment_id = str(revision["segment_id"])
    facts = SegmentFacts(tenant_id, revision["channel"], revision["message_count"], segment_id)
    found = catalog.due(facts)
    others: list[tuple[AppliedPass, str]] = [*found.others]
    others += [(one, _why_no_job(catalog, one, revision)) for one in found.passes]
    for one, reason in sorted(others, key=lambda each: each[0].name):
        text = _TEXTS[reason].format(name=one.name, version=one.version, tenant=tenant_id)
        yield {
            "segment_id": segment_id,
            "revision": revision["revision"],
            "pass_name": one.name,
            "pass_version": one.version,
            "reason": str(reason),
            "text": text,
            "sealed_at": revision["sealed_at"],
        }


def _why_no_job(catalog: Catalog, one: AppliedPass, revision: Row) -> str:
    said = catalog.activation(one.name)
    is_older = said is not None and revision["sealed_at"] < said.body.versions[0].activated_at
    return NOT_ACTIVE_YET if is_older else NOT_READ_YET
