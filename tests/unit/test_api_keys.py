"""API keys: made at random, read exactly, and known by their hashes only."""

import pytest

from parley.api_keys import make_key, parse_key


def test_a_key_is_recognised_by_its_hash() -> None:
    made = make_key()
    read = parse_key(made.text)
    assert read is not None
    assert read.key_id == made.key_id
    assert read.has_hash(made.key_hash)
    assert not read.has_hash(make_key().key_hash)
    assert not read.has_hash(b"")


def test_no_two_keys_are_alike_and_each_has_256_secret_bits() -> None:
    made = [make_key() for _ in range(100)]
    assert len({one.key_id for one in made}) == len({one.secret for one in made}) == 100
    assert {len(one.secret) for one in made} == {32}


def test_a_key_is_not_printed_by_accident() -> None:
    made = make_key()
    printed = f"{made} {made!r}"
    assert made.secret.hex() not in printed
    assert repr(made.secret) not in printed
    assert made.key_id in printed


@pytest.mark.parametrize(
    "wrong", ["", "parley_", "{0} ", "{0}\n", "x{0}", "{0}0", "{0}_", "PAR{0}"]
)
def test_anything_else_is_no_key(wrong: str) -> None:
    text = make_key().text
    assert parse_key(wrong.format(text)) is None
    assert parse_key(text[:-1]) is None
    assert parse_key(text.upper()) is None
    assert parse_key(text.replace("_", "-")) is None
