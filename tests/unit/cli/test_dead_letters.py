"""Which topic a dead letter belongs to, and where a redrive of it goes."""

from typing import Any

import pytest

from parley.cli.dead_letters.new_record import new_record
from parley.cli.dead_letters.stored import consumer_of, to_letter, topic_of
from parley.errors import UserError
from parley.settings import Settings
from parley.topics import Topic
from tests.unit.persister.samples import NOON

GROWN = Settings(topic_names={Topic.EVENTS: "parley.events.v1-3"}, topic_prefix="acme.")
ROW = {
    "id": 1,
    "topic": "acme.parley.events.v1-2",
    "partition": 0,
    "log_offset": 7,
    "append_time": NOON,
    "key": b"t\0c",
    "incarnation": "former",
    "reason": "key",
}
RAW: dict[str, Any] = {"value": b"v", "headers": "[]"}


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("acme.parley.events.v1", Topic.EVENTS),
        ("acme.parley.events.v1-2", Topic.EVENTS),
        ("acme.parley.events.v1-3", Topic.EVENTS),
        ("acme.parley.seals.v1", Topic.SEALS),
        ("acme.parley.analyses.v1-2", Topic.ANALYSES),
        ("acme.parley.config.v1", Topic.CONFIG),
        ("parley.events.v1", None),
        ("acme.parley.events.v10", None),
    ],
)
def test_a_letter_is_of_whatever_incarnation_of_a_topic(name: str, topic: Topic | None) -> None:
    assert topic_of(GROWN, name) is topic


def test_a_letter_of_a_former_topic_goes_into_the_present_one() -> None:
    sent = new_record(to_letter(GROWN, ROW, RAW), "me")
    assert sent.topic == "acme.parley.events.v1-3"
    assert dict(sent.headers)["parley-redriven-from"] == b"acme.parley.events.v1-2/0@7"


def test_every_topic_whose_records_may_be_letters_has_a_reader() -> None:
    assert consumer_of(Topic.CONFIG) == "persister-config"


def test_a_letter_of_other_settings_says_so() -> None:
    with pytest.raises(UserError, match="do not name"):
        to_letter(GROWN, {**ROW, "topic": "other.parley.events.v1"}, RAW)
