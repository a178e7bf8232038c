"""Makes up logs: few ids and few moments, so that everything meets everything."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from parley.events import (
    Body,
    Content,
    ConversationState,
    EndReason,
    Event,
    ImportFinished,
    ImportOutcome,
    ImportStarted,
    MessageRecorded,
    MessageRevised,
    Policy,
    RecordRejected,
    RevisionKind,
    Role,
    SealForced,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
    StateRequested,
    Tick,
)
from tests.unit.sealer.samples import at, event_id

CONVERSATIONS = (("acme", "a"), ("acme", "b"), ("beta", "a"))
IMPORTS = ("i1", "i2")
PLAIN = Policy(idle_gap=timedelta(seconds=10), grace=timedelta(seconds=3))
POLICIES = (
    PLAIN,
    replace(PLAIN, policy_id="long", idle_gap=timedelta(seconds=25)),
    replace(PLAIN, policy_id="call", seal_on_end=True, grace=timedelta(seconds=6)),
    replace(PLAIN, policy_id="few", max_messages=3),
    replace(PLAIN, policy_id="short", max_duration=timedelta(seconds=20), seal_on_end=True),
)
UNCAPPED = (PLAIN, POLICIES[1], replace(PLAIN, policy_id="tiny", idle_gap=timedelta(seconds=3)))


class Log(list[tuple[Event | None, datetime]]):
    """Events with their append times; shows itself in a line each."""

    def __repr__(self) -> str:
        return "\n".join(_line(event, append_time) for event, append_time in self)


def _line(event: Event | None, append_time: datetime) -> str:
    arrives = (append_time - at(0)).total_seconds()
    if event is None:
        return f"{arrives}: invalid"
    said = (event.event_time - at(0)).total_seconds()
    where = f"{event.tenant_id}/{event.conversation_id} {event.session_id} {event.import_id or ''}"
    number = int(event.event_id[-12:])
    return f"{arrives}: {number} t={said} {where} {event.policy.policy_id} {event.body}"


class _Choice(NamedTuple):
    kind: str
    number: int
    second: int
    conversation: int
    policy: int
    session: int
    generation: int
    imported: int
    wait: int


_MESSAGES = ["message"] * 10
# Mostly quick, sometimes past grace, gap, an import's lapse or a session's settling.
_WAITS = [-2, 0, 0, 1, 1, 2, 3, 6, 15, 40, 1_900, 4_000]
_OTHERS = [
    *["revise"] * 2,
    "start",
    "start",
    "end",
    "end",
    "resume",
    "refresh",
    "force",
    "ended",
    "tick",
    "tick",
    "rejected",
    "invalid",
    "import_start",
    "import_end",
]


def _choices(kinds: list[str], numbers: int) -> st.SearchStrategy[_Choice]:
    return st.builds(
        _Choice,
        kind=st.sampled_from(kinds),
        number=st.integers(0, numbers),
        second=st.integers(0, 70),
        conversation=st.sampled_from([0, 0, 0, 1, 2]),
        policy=st.integers(0, len(POLICIES) - 1),
        session=st.integers(0, 3),
        generation=st.integers(1, 3),
        imported=st.sampled_from([0, 0, 0, 0, 1, 2]),
        wait=st.sampled_from(_WAITS),
    )


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A log of everything; a repeated id may come with another time."""
    choices = draw(st.lists(_choices(_MESSAGES + _OTHERS, 12), max_size=45))
    log = Log()
    now = 0.0
    for offset, choice in enumerate(choices):
        now += choice.wait
        log.append((_event(choice, offset, log), at(now)))
    # Two ticks: what the first settles may close a window later.
    log.extend((tick(), at(now + 8_000 * more)) for more in (1, 2, 3))
    return log


def random_log(chance: Random) -> Log:
    """A log of everything from a seed, for where hypothesis does not reach."""
    log = Log()
    now = 0.0
    for offset in range(chance.randint(1, 45)):
        choice = _Choice(
            kind=chance.choice(_MESSAGES + _OTHERS),
            number=chance.randint(0, 12),
            second=chance.randint(0, 70),
            conversation=chance.choice([0, 0, 0, 1, 2]),
            policy=chance.randrange(len(POLICIES)),
            session=chance.randint(0, 3),
            generation=chance.randint(1, 3),
            imported=chance.choice([0, 0, 0, 0, 1, 2]),
            wait=chance.choice(_WAITS),
        )
        now += choice.wait
        log.append((_event(choice, offset, log), at(now)))
    log.extend((tick(), at(now + 8_000 * more)) for more in (1, 2, 3))
    return log


@st.composite
def plain_messages(draw: st.DrawFn) -> list[Event]:
    """Different messages without caps and ends."""
    made = []
    for number, (second, policy, which, imported) in enumerate(
        draw(
            st.lists(
                st.tuples(
                    st.integers(0, 90),
                    st.sampled_from(UNCAPPED),
                    st.integers(0, 1),
                    st.booleans(),
                ),
                max_size=25,
            )
        )
    ):
        fields = {"import_id": "i1"} if imported else {}
        made.append(_message(number, second, policy, CONVERSATIONS[which], **fields))
    return made


def _event(choice: _Choice, offset: int, log: Log) -> Event | None:
    policy, key = POLICIES[choice.policy], CONVERSATIONS[choice.conversation]
    fields: dict[str, Any] = {"import_id": IMPORTS[choice.imported - 1]} if choice.imported else {}
    if choice.kind == "invalid":
        return None
    if choice.kind == "message":
        if choice.session:
            fields["session_id"] = f"s{choice.session}"
        return _message(choice.number, choice.second, policy, key, **fields)
    if choice.kind == "tick":
        return tick()
    if choice.kind == "rejected":
        return _rejected(choice.number, log)
    if choice.kind in ("import_start", "import_end"):
        return _import(choice.kind, IMPORTS[choice.imported % 2])
    return _other(choice, offset, policy, key, fields)


def _message(
    number: int, second: int, policy: Policy, key: tuple[str, str], **fields: Any
) -> Event:
    body = MessageRecorded(Role.USER, Content("said"))
    return Event(
        event_id(number),
        body,
        at(second),
        at(second),
        *key,
        policy=policy,
        sender=f"sender-{number % 3}",
        user_id=f"user-{number % 2}",
        **fields,
    )


def _other(
    choice: _Choice, offset: int, policy: Policy, key: tuple[str, str], fields: dict[str, Any]
) -> Event:
    # Some repeat: the same command, or the same revision, under the same id.
    number = 1_000 + (choice.number if choice.number % 2 else offset)
    bodies: dict[str, tuple[int, Body]] = {
        "revise": (
            2_000 + choice.second % 5,
            MessageRevised(event_id(choice.number), RevisionKind.CORRECTED, Content("other")),
        ),
        "start": (number, SessionStarted()),
        "resume": (number, SessionResumed(choice.generation)),
        "refresh": (number, SessionRefreshed(choice.generation)),
        "end": (number, SessionEnded(choice.generation, EndReason.EXPLICIT)),
        "force": (3_000 + choice.number % 4, SealForced("r", "bob")),
        "ended": (
            4_000 + choice.number % 4,
            StateRequested(ConversationState.IDLE, ConversationState.ENDED),
        ),
    }
    own, body = bodies[choice.kind]
    if choice.kind in ("start", "resume", "refresh", "end"):
        fields = {**fields, "session_id": f"s{max(choice.session, 1)}"}
    moment = at(choice.second)
    return Event(event_id(own), body, moment, moment, *key, policy=policy, **fields)


def _rejected(number: int, log: Log) -> Event:
    wanted = event_id(number)
    offsets = [n for n, (event, _) in enumerate(log) if event and event.event_id == wanted]
    body = RecordRejected(offsets[0] if offsets else 0, wanted, "refused")
    return Event(event_id(9_000), body, at(0), at(0))


def _import(kind: str, import_id: str) -> Event:
    body = ImportStarted() if kind == "import_start" else ImportFinished(ImportOutcome.COMPLETED)
    return Event(event_id(9_001), body, at(0), at(0), import_id=import_id)


def tick() -> Event:
    return Event(event_id(9_002), Tick(at(0)), at(0), at(0))
