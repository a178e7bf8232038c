"""What is known of one conversation, as entries with a time, a kind and a sentence."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from parley.cli.acts import act
from parley.cli.wording import counted

Row = Mapping[str, Any]
# Sorts after every event id of the same moment.
_LAST_ID: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened, or will: `at` is None where it has no time."""

    at: datetime | None
    kind: str
    text: str
    facts: Row = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {"at": self.at, "kind": self.kind, "text": self.text, **self.facts}


def entries(sections: Mapping[str, list[Row]], *, with_content: bool) -> list[Entry]:
    """All entries of the sections (rows by the name of their query), in the order of time."""
    found = [
        entry
        for name, rows in sections.items()
        for row in rows
        for entry in _MAKERS[name](row, with_content)
    ]
    # What has no time comes last: it waits for something.
    return sorted(found, key=lambda one: (one.at is None, one.at.timestamp() if one.at else 0.0))


def _sessions(row: Row, _: bool) -> Iterator[Entry]:
    who = f"session {row['session_id']}, generation {row['generation']}"
    user = f", user {row['user_id']}" if row["user_id"] else ""
    yield Entry(
        row["started_at"] or row["last_event_at"],
        "session",
        f"{who}{user}{'' if row['started_at'] else ': its start has not been read yet'}",
        {"session_id": row["session_id"], "generation": row["generation"]},
    )
    if row["ended_at"] is not None:
        text = (
            f"session {row['session_id']} {_ended(row['end_reason'])} after "
            f"{row['duration_seconds'] or 0} s and {counted(row['message_count'], 'message')}"
        )
        facts = {"session_id": row["session_id"], "reason": row["end_reason"]}
        yield Entry(row["ended_at"], "session end", text, facts)


def _ended(reason: str) -> str:
    # The sealer concluded it, and nobody said so.
    return "was settled: its last event" if reason == "idle" else f"ended ({reason})"


def _open_sessions(row: Row, _: bool) -> Iterator[Entry]:
    text = f"session {row['session_id']} is open; it counts as ended then, unless more comes of it"
    yield Entry(row["settles_at"], "open", text, dict(row))


def _acts(row: Row, with_content: bool) -> Iterator[Entry]:
    kind, text, facts = act(row, with_content=with_content)
    yield Entry(row["event_time"], kind, text, facts)


def _messages(row: Row, with_content: bool) -> Iterator[Entry]:
    said = row["content"] if with_content else counted(len(row["content"]), "character")
    facts = {
        "event_id": row["id"],
        "role": row["role"],
        "position": f"{row['partition']}/{row['log_offset']}",
        "import_id": row["import_id"],
        "content" if with_content else "content_length": (
            row["content"] if with_content else len(row["content"])
        ),
    }
    revised = ", revised" if row["content_version"] else ""
    text = f"{row['role']}: {said}{revised} ({row['id']})"
    yield Entry(row["event_time"], "message", text, facts)


def _revisions(row: Row, _: bool) -> Iterator[Entry]:
    name = f"segment {row['segment_id']} revision {row['revision']}"
    standing = "current" if row["is_current"] else "replaced"
    if row["is_retracted"]:
        standing = f"retracted, merged into {row['merged_into']}"
    cut = ", with a cut after it" if row["cut_event_time"] is not None else ""
    link = f"; continues segment {row['continues']}" if row["continues"] else ""
    text = (
        f"{name}: {counted(row['message_count'], 'message')} from {_time(row['started_at'])} to "
        f"{_time(row['ended_at'])}, closed because of: {row['cause']}{cut}; decided at "
        f"{row['partition']}/{row['decided_offset']} when the log's time was "
        f"{_time(row['watermark'])}; policy {row['policy_id']} v{row['policy_version']}{link}; "
        f"{standing}"
    )
    yield Entry(row["sealed_at"], "sealed", text, dict(row))
    for one in orjson.loads(row["retracted"]):
        swallowed = f"segment {one['segment_id']} revision {one['revision']}"
        yield Entry(row["sealed_at"], "retracted", f"{swallowed}, merged into {name}", one)


def _windows(row: Row, _: bool) -> Iterator[Entry]:
    when = f"import {row['held_by']} holds it" if row["deadline"] is None else "it closes then"
    again = f", sealed before as revision {row['revision']}," if row["revision"] else ""
    text = (
        f"segment {row['segment_id']}{again} has {counted(row['message_count'], 'message')} from "
        f"{_time(row['first_time'])} to {_time(row['last_time'])}; {when}, unless more is said"
    )
    yield Entry(row["deadline"], "open", text, dict(row))


def _cuts(row: Row, _: bool) -> Iterator[Entry]:
    text = f"no segment goes on beyond {_cut_place(row['event_id'])}"
    yield Entry(row["event_time"], "cut", text, dict(row))


def _cut_place(event_id: Any) -> str:
    # An imported end cuts after everything of its moment.
    return "this moment" if str(event_id) == _LAST_ID else f"message {event_id}"


def _jobs(row: Row, _: bool) -> Iterator[Entry]:
    # What has ended waits for nobody.
    waits_for = row["suspended"] if row["state"] in ("open", "claimed", "parked") else ""
    reasons = "; ".join(filter(None, (row["reason"], waits_for)))
    reason = f" ({reasons})" if reasons else ""
    attempts = counted(row["attempt_count"], "attempt")
    text = (
        f"{row['pass_name']} v{row['pass_version']} over {row['segment_id']} revision "
        f"{row['revision']}: {row['state']}{reason} after {attempts}"
    )
    yield Entry(row["sealed_at"], "pass", text, dict(row))


def _not_due(row: Row, _: bool) -> Iterator[Entry]:
    name = f"{row['pass_name']} v{row['pass_version']} over {row['segment_id']}"
    text = f"{name} revision {row['revision']}: not run, since {row['text']}"
    facts = {key: value for key, value in row.items() if key != "text"}
    yield Entry(row["sealed_at"], "no pass", text, facts)


def _verdicts(row: Row, with_content: bool) -> Iterator[Entry]:
    output = orjson.loads(row["output"])
    name = f"{row['pass_name']} v{row['pass_version']} over {row['segment_id']}"
    text = f"{name} revision {row['revision']}: {orjson.dumps(output).decode()}"
    yield Entry(row["ended_at"], "verdict", text, {**row, "output": output})


def _dead_letters(row: Row, _: bool) -> Iterator[Entry]:
    place = f"{row['topic']} {row['partition']}/{row['log_offset']}"
    text = f"{place} was refused by the {row['service']}: {row['reason']} ({row['detail']})"
    yield Entry(row["created_at"], "dead letter", text, dict(row))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


_MAKERS: Final[dict[str, Callable[[Row, bool], Iterator[Entry]]]] = {
    "sessions": _sessions,
    "open_sessions": _open_sessions,
    "acts": _acts,
    "messages": _messages,
    "revisions": _revisions,
    "windows": _windows,
    "cuts": _cuts,
    "conversation_jobs": _jobs,
    "verdicts": _verdicts,
    "not_due": _not_due,
    "conversation_dead_letters": _dead_letters,
}
