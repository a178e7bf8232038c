"""What is printed as YAML is read as the same data."""

from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from parley.cli.yaml_text import yaml_text

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(plain)
def test_whatever_is_written_is_read_as_the_same(value: object) -> None:
    assert yaml.safe_load(yaml_text(value)) == value


@pytest.mark.parametrize(
    "text", ["no", "12", "1e3", "2026-01-31", "a: b", "- a", "", "\u2028", "~"]
)
def test_a_text_stays_a_text_and_a_name_a_name(text: str) -> None:
    assert yaml.safe_load(yaml_text([{text: text}])) == [{text: text}]


def test_a_person_can_read_it() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    rows = [{"id": 1, "at": at, "ids": ["a"], "none": []}, {"id": 2, "at": None}]
    assert yaml_text(rows) == (
        '- id: 1\n  at: "2026-01-31T12:00:00+00:00"\n  ids:\n    - "a"\n  none: []\n'
        "- id: 2\n  at: null\n"
    )
