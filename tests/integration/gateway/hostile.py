"""What hostile and broken clients send, made from the table of the protocol."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

CANARY: Final = "canary-7c2e9a"

Values = tuple[Any, ...]

_HUGE: Final = 10**30
_NO_TEXT: Final[Values] = (1, 1.5, True, [], {}, ["x"], _HUGE)
_TEXT: Final[Values] = (*_NO_TEXT, "nul \0")
# Ids have a length, and go into keys and indexes.
_ID: Final[Values] = (*_TEXT, "x" * 600, "ü" * 300)
_FLAG: Final[Values] = (0, 1, "true", [], {}, 1.5)
_NUMBER: Final[Values] = ("1", 0, -1, 1.5, True, [], {}, 2**62, 2**63, 2**64, _HUGE, -_HUGE)
_OBJECT: Final[Values] = ("x", 1, True, [], [{}], {"a": "\0"}, {"\0": 1}, "{}")
_MOMENT: Final[Values] = (
    1,
    True,
    {},
    "yesterday",
    "2026-01-31T12:00:00",
    "2026-13-31T12:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-01-31T12:00:00+99:99",
)
_CHOICE: Final[Values] = ("nobody", "", "USER", "user ", 1, True, [], {})
_POSITION: Final[Values] = (
    "x",
    "::",
    "a:1",
    "1:2:3:4",
    "a:-1:0",
    "a:0:-1",
    f"a:{_HUGE}:0",
    1,
    [],
    {},
)
_UUID: Final[Values] = ("x", "{}", "12345678-1234-1234-1234-12345678901", 1, [], "\0")

_NO_OBJECT: Final[Values] = ("x", 1, True, [], [{}])

_CLOCKS: Final[dict[str, Values]] = {"occurred_at": _MOMENT, "sent_at": _MOMENT}
_SAID: Final = {
    "text": _TEXT,
    "audio_url": _TEXT,
    "metadata": _OBJECT,
    "language": _TEXT,
    "utterance_id": _TEXT,
    **_CLOCKS,
}
_HELLO: Final = {
    "token": _NO_TEXT,
    "client_id": _ID,
    "user_id": _ID,
    "channel": _ID,
    "metadata": _OBJECT,
    "position": _POSITION,
    "deliver": tuple(value for value in _CHOICE if value != ""),
}
_BACK: Final = {"session_id": _ID, "generation": _NUMBER}
_ROLE: Final = {"role": tuple(value for value in _CHOICE if value != "")}
_SESSION: Final = {"session_id": "s", "generation": 1}
_SPOKEN: Final = {"kind": "interrupted", "target_event_id": "00000000-0000-5000-8000-000000000000"}


@dataclass(frozen=True)
class Form:
    """A frame that is right, and what is wrong for each of its fields."""

    type: str
    payload: dict[str, Any]
    wrong: dict[str, Values]


HELLOS: Final = (Form("hello", {}, _HELLO), Form("hello", _SESSION, _BACK))
FORMS: Final = (
    Form("transcript_update", {"text": "x", "is_final": True}, {**_SAID, **_ROLE}),
    Form("transcript_update", {"text": "x", "is_final": True}, {"is_final": _FLAG}),
    Form(
        "transcript_update",
        {"text": "x", "utterance_id": "u", "sequence": 1},
        {**_ROLE, "text": _TEXT, "sequence": _NUMBER, "utterance_id": ("", *_NO_TEXT)},
    ),
    Form("ai_response", {"text": "x"}, _SAID),
    Form(
        "speech_event",
        {"kind": "speech_started"},
        {**_ROLE, "kind": _CHOICE, "utterance_id": _NO_TEXT},
    ),
    Form(
        "speech_event",
        _SPOKEN,
        {"target_event_id": _UUID, "target_id": _NO_TEXT, "text": _TEXT, **_CLOCKS},
    ),
    Form(
        "state_update",
        {"state": "listening"},
        {"state": _CHOICE, "cause": _TEXT, "reopen": _FLAG, **_CLOCKS},
    ),
    Form("end", {}, _CLOCKS),
)


@dataclass(frozen=True)
class WrongFrame:
    """A frame of which exactly one field is wrong, and which."""

    field: str
    text: str


def wrong_fields(form: Form, frame_id: str) -> Iterator[WrongFrame]:
    """Each field of the form with each value that it must not have."""
    for field, values in form.wrong.items():
        for value in values:
            payload = {**form.payload, field: value}
            frame = {"type": form.type, "id": frame_id, "payload": payload}
            yield WrongFrame(f"{form.type}.{field}={value!r:.40}", json.dumps(frame))


def wrong_outsides(form: Form) -> Iterator[tuple[str, set[str]]]:
    """The form with an id or a payload that is none, and the codes that may answer it."""
    for wrong_id in _NO_TEXT:
        frame = {"type": form.type, "id": wrong_id, "payload": form.payload}
        yield json.dumps(frame), {"invalid_frame"}
    for payload in _NO_OBJECT:
        yield json.dumps({"type": form.type, "id": "1", "payload": payload}), {"invalid_frame"}


# What is no frame whatever stands in it, and the code that says so.
NO_FRAMES: Final[tuple[tuple[str, str], ...]] = (
    ("", "invalid_json"),
    (" ", "invalid_json"),
    ("nul", "invalid_json"),
    ("{", "invalid_json"),
    ('{"type":}', "invalid_json"),
    ("{'type': 'ping'}", "invalid_json"),
    ('{"type": "ping",}', "invalid_json"),
    ('{"type": "ping"} {}', "invalid_json"),
    ('{"type": "ping"} // x', "invalid_json"),
    ('\ufeff{"type": "ping"}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": NaN}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": Infinity}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": -Infinity}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": 0x10}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": 01}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": "\\ud800"}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": "\\udc00\\ud800"}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": "\x01"}}', "invalid_json"),
    ('{"type": "ping", "payload": {"x": "\0"}}', "invalid_json"),
    ("[" * 10_000, "invalid_json"),
    ("[" * 10_000 + "]" * 10_000, "invalid_json"),
    ('{"a":' * 10_000 + "1" + "}" * 10_000, "invalid_json"),
    ('{"type": "ping", "payload": ' + '{"a":' * 5_000 + "1" + "}" * 5_001, "invalid_json"),
    ("null", "invalid_frame"),
    ("1", "invalid_frame"),
    ("9" * 400, "invalid_json"),
    ('"ping"', "invalid_frame"),
    ("[]", "invalid_frame"),
    ('[{"type": "ping"}]', "invalid_frame"),
    ("{}", "unknown_type"),
    ('{"type": null}', "unknown_type"),
    ('{"type": 1}', "unknown_type"),
    ('{"type": ["ping"]}', "unknown_type"),
    ('{"type": {"ping": 1}}', "unknown_type"),
    ('{"type": ""}', "unknown_type"),
    ('{"type": "PING"}', "unknown_type"),
    ('{"type": "ping "}', "unknown_type"),
    ('{"type": "ack"}', "unknown_type"),
    ('{"type": "__class__"}', "unknown_type"),
    ('{"type": "' + "x" * 60_000 + '"}', "unknown_type"),
    # Of two fields of one name the last counts, here and in every reader of JSON that we know.
    ('{"type": "ping", "type": "nonsense"}', "unknown_type"),
    ('{"type": "ai_response", "id": "1", "payload": {"text": "x", "text": 1}}', "invalid_frame"),
)

DEEP_METADATA: Final = tuple(
    '{"type": "ai_response", "id": "1", "payload": {"text": "x", "metadata": '
    + '{"a":' * depth
    + "1"
    + "}" * (depth + 2)
    for depth in (260, 900)
)


def origins(host: str, port: int) -> Iterator[bytes]:
    """A thousand `Origin`s, none of which is the gateway's own page's."""
    own = f"{host}:{port}"
    yield from (
        b"null",
        b"",
        b"*",
        b"http://",
        b"http:///",
        b"//" + own.encode(),
        f"ftp://{own}".encode(),
        f"http://{own}/evil".encode(),
        f"http://{own}?evil".encode(),
        f"http://{own}#evil".encode(),
        own.encode(),
        b"http://[::1",
        b"http://\xff\xfe",
        f"http://{own}.evil.example".encode(),
        f"http://evil.example?{own}".encode(),
        f"http://evil.example#{own}".encode(),
        f"http://evil.example/{own}".encode(),
        f"http://evil.example\\{own}".encode(),
        f"http://{own}@evil.example".encode(),
        f"http://evil.example@{own}".encode(),
        f"http://evil{own}".encode(),
        f"http://{own}0".encode(),
        f"http://{host}".encode(),
        f"http://{host}.:{port}".encode(),
        f"http://localhost.evil.example:{port}".encode(),
        f"http://{host}:{port}:80".encode(),
        f"http://{own} http://evil.example".encode(),
        f"http://{own},http://evil.example".encode(),
        f"http://{own}%00".encode(),
        f"http://{own}%2f.evil.example".encode(),
        f"http://１２７.0.0.1:{port}".encode(),
        f"http://127。0。0。1:{port}".encode(),
        f"http://127.0.0.1:{''.join(chr(0xFF10 + int(digit)) for digit in str(port))}".encode(),
        f"http://2130706433:{port}".encode(),
        f"http://0x7f000001:{port}".encode(),
        f"http://0177.0.0.1:{port}".encode(),
        f"http://127.1:{port}".encode(),
        f"http://[::ffff:127.0.0.1]:{port}".encode(),
        b"http://gateway.xn--e1afmkfd.example",
        "http://пример.example".encode(),
        b"file://",
        b"data:text/html,x",
        b"chrome-extension://abcdefghijklmnop",
        b"javascript:alert(1)",
    )
    for number in range(956):
        kind = number % 6
        yield (
            f"http://{host}:{(port + 1 + number) % 65536}",
            f"https://sub{number}.{own}",
            f"http://{own}.{number}.example",
            f"http://{'a' * (number + 1)}.example",
            f"https://x{number}.example:{port}",
            f"http://127.0.{number // 250 + 1}.{number % 250}:{port}",
        )[kind].encode()


HOSTS: Final = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example:127",
    "[::1",
    "127.0.0.2",
    "0.0.0.0",  # noqa: S104 - somebody else says so
    "2130706433",
    "",
    "x" * 5_000,
)

# Conversations in a URL: NUL, too long, no UTF-8, a path, blank.
STRANGE_CONVERSATIONS: Final = (
    "%00",
    "a%00b",
    "x" * 513,
    "%FC" * 200,
    "%ff%fe",
    "..%2f..%2fetc",
    "%20",
    "%F0%9F%98%80",
)
