"""What happened in a conversation besides what was said, in a sentence each."""

from collections.abc import Mapping
from typing import Any, Final

from parley.cli.records import as_json
from parley.cli.wording import counted
from parley.codec import LogRecord
from parley.topics import Topic

Fields = Mapping[str, Any]

_NAMES: Final = {
    "seal_forced": "command",
    "state_requested": "state",
    "message_revised": "revised",
    "session_resumed": "resumed",
    "conversation_created": "created",
    "conversation_updated": "updated",
    "preferences_changed": "preferences",
}


def act(row: Mapping[str, Any], *, with_content: bool) -> tuple[str, str, dict[str, Any]]:
    """The kind for people, the sentence, and the event for programs; rows by the query `acts`."""
    record = LogRecord(
        "", row["partition"], row["log_offset"], row["append_time"], None, row["value"], ()
    )
    event = as_json(Topic.EVENTS, record, with_content=with_content).get("event", {})
    kind = row["kind"]
    name = _camel(kind)
    text = _sentence(kind, event.get(name, {}), event, row)
    facts = {
        "event_id": str(row["event_id"]),
        "position": f"{row['partition']}/{row['log_offset']}",
        "is_granted": row["is_granted"],
        name: event.get(name, {}),
    }
    return _NAMES.get(kind, kind.replace("_", " ")), text, facts


def _sentence(kind: str, body: Fields, event: Fields, row: Mapping[str, Any]) -> str:
    match kind:
        case "seal_forced":
            why = f": {body['reason']}" if body.get("reason") else ""
            return f"{body.get('requestedBy', 'somebody')} had it sealed{why}"
        case "state_requested":
            return _state(body, row["is_granted"])
        case "message_revised":
            content = body.get("content", {}).get("plain", {})
            said = content.get("text") or counted(content.get("textLength", 0), "character")
            how = _last_word(body.get("kind", ""), "REVISION_KIND_")
            return f"message {body.get('targetEventId')} was {how}: {said}"
        case "session_resumed":
            return f"session {event.get('sessionId')} goes on, generation {body.get('generation')}"
        case "conversation_created" | "conversation_updated":
            told = ", ".join(sorted(body)) or "nothing"
            return f"its own facts were stated: {told}"
        case _:
            return kind.replace("_", " ")


def _state(body: Fields, is_granted: bool | None) -> str:
    states = (_last_word(body.get(name, ""), "CONVERSATION_STATE_") for name in ("from", "to"))
    cause = f", because of {body['cause']}" if body.get("cause") else ""
    return f"{' to '.join(states)}: {'granted' if is_granted else 'refused'}{cause}"


def _last_word(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", " ") or "unknown"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(one.capitalize() for one in rest)
