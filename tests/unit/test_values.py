"""Values that are made quickly are the values that their constructor makes."""

from dataclasses import FrozenInstanceError, replace

import pytest

from parley.events import ConversationCreated
from parley.values import maker

make = maker(ConversationCreated)


def test_a_value_that_was_made_quickly_is_the_constructors_own() -> None:
    made = make("a title", "calm", "{}")
    assert type(made) is ConversationCreated
    assert made == ConversationCreated("a title", "calm", "{}")
    assert replace(made, title="another") == ConversationCreated("another", "calm", "{}")


def test_it_is_frozen_like_any_other() -> None:
    made = make("a title", "", "")
    with pytest.raises(FrozenInstanceError):
        made.title = "another"  # type: ignore[misc]


def test_every_field_must_be_given() -> None:
    with pytest.raises(TypeError):
        make("a title")
