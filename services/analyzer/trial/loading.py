"""Finds what is to be tried: the pass, as it is applied or installed, and the segment's text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.passes.catalog import Catalog
from parley.passes.code import CodePass, SegmentText
from parley.passes.definition import PassDefinition, PassKind
from parley.passes.stored import stored_catalog
from parley.topics import Topic
from parley.trials.request import TrialRequest
from services.analyzer.core.jobs import Segment, text_of
from services.analyzer.passes import SHIPPED, load_installed
from services.analyzer.passes.prompts import shipped_prompts
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore, segment_of_row

_SQL: Final = load(__package__)


@dataclass(frozen=True, slots=True)
class Tried:
    """A pass with its code, if it is code, and a segment with its text."""

    definition: PassDefinition
    code: CodePass | None
    segment: Segment
    text: SegmentText
    is_retracted: bool


async def find(pool: Pool, settings: AnalyzerSettings, request: TrialRequest) -> Tried:
    """Everything that is to be tried; raises UserError for what is not there."""
    definition, code = await _pass(pool, request)
    row = await _segment_row(pool, request)
    # Where the seal lies makes no difference to what is in it.
    segment = segment_of_row(row, row["partition"], source_partition=0)
    members = await JobStore(pool, settings).load([segment])
    text = text_of(segment, members[segment])
    if text is None:
        raise await _mismatch(pool, settings, segment)
    return Tried(definition, code, segment, text, bool(row["is_retracted"]))


async def _pass(pool: Pool, request: TrialRequest) -> tuple[PassDefinition, CodePass | None]:
    installed = load_installed(SHIPPED).passes
    catalog = await stored_catalog(pool)
    name, version = request.pass_name, request.pass_version
    definition = _applied(catalog, name, version) or _shipped(installed, name, version)
    if definition is None:
        what = name if version is None else f"{name} version {version}"
        raise UserError(
            f"There is no pass {what}.",
            "See all with `parley passes list`; apply one with `parley passes apply`.",
        )
    if definition.kind is PassKind.PROMPT:
        return definition, None
    return definition, _code(installed, definition)


def _applied(catalog: Catalog, name: str, version: int | None) -> PassDefinition | None:
    if version is not None:
        applied = catalog.version(name, version)
    elif catalog.versions(name):
        applied = catalog.in_force(name) or catalog.latest(name)
    else:
        applied = None
    return None if applied is None else applied.definition


def _shipped(
    installed: Sequence[CodePass], name: str, version: int | None
) -> PassDefinition | None:
    """What could be applied: the latest, where no version is named."""
    known = [*(one.definition for one in installed), *shipped_prompts()]
    fitting = [one for one in known if one.name == name and version in (None, one.version)]
    return max(fitting, key=lambda one: one.version, default=None)


def _code(installed: Sequence[CodePass], definition: PassDefinition) -> CodePass:
    for one in installed:
        if one.definition.fingerprint == definition.fingerprint:
            return one
    raise UserError(
        f"The code of {definition.name} version {definition.version} is not installed here.",
        "Install the package that has it, or the release of Parley that applied it.",
    )


async def _segment_row(pool: Pool, request: TrialRequest) -> Any:
    wanted = request.tenant_id, request.segment_id, request.revision
    row = await pool.fetchrow(_SQL["segment_revision"], *wanted)
    if row is None:
        revision = "" if request.revision is None else f" with a revision {request.revision}"
        raise UserError(
            f"The tenant {request.tenant_id} has no segment {request.segment_id}{revision}.",
            "See a conversation's segments with `parley explain CONVERSATION`; "
            "another tenant's are found with --tenant.",
        )
    return row


async def _mismatch(pool: Pool, settings: AnalyzerSettings, segment: Segment) -> UserError:
    place = settings.topic(Topic.EVENTS), segment.events_partition, segment.incarnation
    stored = await pool.fetchval(_SQL["next_offset"], *place)
    if stored is not None and stored <= segment.decided_offset:
        return UserError(
            f"The messages of segment {segment.segment_id} are not all stored yet: the persister "
            f"is at offset {stored:,} of partition {segment.events_partition}, and the segment "
            f"was decided at {segment.decided_offset:,}.",
            "Run the command again when it has caught up; `parley status` shows how far it is.",
        )
    return UserError(
        f"The stored messages of segment {segment.segment_id} revision {segment.revision} are not "
        "those that were sealed: their digest is another.",
        "`parley verify` names rows that differ from the log; retention may have deleted some.",
    )
