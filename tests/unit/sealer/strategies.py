"""Makes up logs: few ids and few moments, so that everything meets everything."""

from collections.abc import Iterable, Sequence
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
from tests.unit.sealer.samples import MILLISECOND, at, event_id

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
LONGEST = 45
BYTES_EACH = 3
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
    seconds: float
    conversation: int
    policy: int
    session: int
    generation: int
    imported: int
    wait: int


_MESSAGES = ["message"] * 10
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
_KINDS = _MESSAGES + _OTHERS
_NUMBERS = range(13)
# Clocks that are wrong by 400 days and by 10 years; their messages meet each other.
_FAR = [*(day * 86_400 + n for day in (-400, 3_650) for n in (0, 10, 20)), 3_650 * 86_400 + 33]
_SECONDS = [*range(71), *_FAR]
# Around every edge of gap and grace.
_OFF = [0, 0, 0, 0, 0, -MILLISECOND, MILLISECOND]
# Mostly quick, sometimes past grace, gap, an import's lapse or a session's settling.
_WAITS = [-2, 0, 0, 1, 1, 2, 3, 6, 15, 40, 1_900, 4_000]
_SHIFTS = [0] * 8 + [-400 * 86_400, 3_650 * 86_400]
_WHO = [0, 0, 0, 1, 2]
_IMPORTED = [0, 0, 0, 0, 1, 2]
# A choice is two numbers.
_WHATS = len(_KINDS) * len(_NUMBERS) * len(_SECONDS) * len(_OFF) * len(_WAITS)
_DETAILS = len(_WHO) * len(POLICIES) * 4 * 3 * len(_IMPORTED)
# Several ticks: what the first settles may close a window later.
SOON_AFTER = (8_000, 16_000, 24_000)
AFTER_ALL = (*SOON_AFTER, 12 * 365 * 86_400)


def _choice(what: int, details: int) -> _Choice:
    what, kind = divmod(what, len(_KINDS))
    what, number = divmod(what, len(_NUMBERS))
    what, off = divmod(what, len(_OFF))
    wait, second = divmod(what, len(_SECONDS))
    details, who = divmod(details, len(_WHO))
    details, policy = divmod(details, len(POLICIES))
    details, session = divmod(details, 4)
    imported, generation = divmod(details, 3)
    return _Choice(
        kind=_KINDS[kind],
        number=number,
        seconds=_SECONDS[second] + _OFF[off],
        conversation=_WHO[who],
        policy=policy,
        session=session,
        generation=generation + 1,
        imported=_IMPORTED[imported],
        wait=_WAITS[wait],
    )


def _log_of(choices: Iterable[_Choice], after_all: Sequence[int]) -> Log:
    log = Log()
    now = 0.0
    for offset, choice in enumerate(choices):
        now += choice.wait
        log.append((_event(choice, offset, log), at(now)))
    log.extend((tick(), at(now + more)) for more in after_all)
    return log


def logs() -> st.SearchStrategy[Log]:
    """A log of everything; a repeated id may come with another time."""
    return _numbers(LONGEST, _WHATS, _DETAILS).map(
        lambda found: _log_of((_choice(*one) for one in found), AFTER_ALL)
    )


def _numbers(longest: int, *ranges: int) -> st.SearchStrategy[list[tuple[int, ...]]]:
    """Up to so many rows of numbers below `ranges`, each row from a few bytes.

    One draw of bytes costs as much as one of a number; and lists of numbers stay short.
    """

    def of(raw: bytes) -> list[tuple[int, ...]]:
        width = BYTES_EACH * len(ranges)
        rows = (raw[start : start + width] for start in range(0, len(raw), width))
        return [tuple(_take(row, n) % below for n, below in enumerate(ranges)) for row in rows]

    sizes = st.integers(0, longest).map(lambda count: count * BYTES_EACH * len(ranges))
    return sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(of)


def _take(row: bytes, number: int) -> int:
    return int.from_bytes(row[number * BYTES_EACH : (number + 1) * BYTES_EACH])


def random_log(chance: Random, after_all: Sequence[int] = AFTER_ALL) -> Log:
    """A log of everything from a seed, for where hypothesis does not reach."""
    numbers = [
        (chance.randrange(_WHATS), chance.randrange(_DETAILS))
        for _ in range(chance.randint(1, LONGEST))
    ]
    return _log_of((_choice(*one) for one in numbers), after_all)


# Seconds, their edges, two policies' worth of conversations, live and imported.
_PLAIN = 91 * len(_OFF) * len(_SHIFTS) * len(UNCAPPED) * 2 * 2


def plain_messages() -> st.SearchStrategy[list[Event]]:
    """Different messages without caps and ends."""
    return _numbers(25, _PLAIN).map(
        lambda found: [_plain(number, *one) for number, one in enumerate(found)]
    )


def random_messages(chance: Random) -> list[Event]:
    """The same from a seed."""
    return [_plain(number, chance.randrange(_PLAIN)) for number in range(chance.randint(1, 25))]


def _plain(number: int, choice: int) -> Event:
    choice, second = divmod(choice, 91)
    choice, off = divmod(choice, len(_OFF))
    choice, shift = divmod(choice, len(_SHIFTS))
    choice, policy = divmod(choice, len(UNCAPPED))
    which, imported = divmod(choice, 2)
    fields = {"import_id": "i1"} if imported else {}
    seconds = second + _SHIFTS[shift] + _OFF[off]
    return _message(number, seconds, UNCAPPED[policy], CONVERSATIONS[which], **fields)


def _event(choice: _Choice, offset: int, log: Log) -> Event | None:
    policy, key = POLICIES[choice.policy], CONVERSATIONS[choice.conversation]
    fields: dict[str, Any] = {"import_id": IMPORTS[choice.imported - 1]} if choice.imported else {}
    if choice.kind == "invalid":
        return None
    if choice.kind == "message":
        if choice.session:
            fields["session_id"] = f"s{choice.session}"
        return _message(choice.number, choice.seconds, policy, key, **fields)
    if choice.kind == "tick":
        return tick()
    if choice.kind == "rejected":
        revision = 2_000 + choice.number % 5
        return _rejected(revision if choice.session > 1 else choice.number, log)
    if choice.kind in ("import_start", "import_end"):
        return _import(choice.kind, IMPORTS[choice.imported % 2])
    return _other(choice, offset, policy, key, fields)


def _message(
    number: int, seconds: float, policy: Policy, key: tuple[str, str], **fields: Any
) -> Event:
    body = MessageRecorded(Role.USER, Content("said"))
    return Event(
        event_id(number),
        body,
        at(seconds),
        at(seconds),
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
            2_000 + int(choice.seconds) % 5,
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
    moment = at(choice.seconds)
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
