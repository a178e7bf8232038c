"""Personal data is counted, what only looks like it is not, and no value is ever told."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.events import Role
from parley.passes.code import to_json
from services.analyzer.passes.personal_data import MESSAGE_CHARACTERS, run
from services.analyzer.passes.personal_kinds import KINDS, is_luhn, matches
from tests.unit.analyzer.samples import assistant, spoken, text, user

FOUND = [
    ("email", "mail me at Ada.Lovelace+shop@example.co.uk, please"),
    ("email", "邮箱是ada@example.org。"),
    ("email", "a@example.org: that is mine"),
    ("phone", "call +44 20 7946 0958 tomorrow"),
    ("phone", "(212) 555-0187"),
    ("phone", "212-555-0187"),
    ("phone", "my phone is 2125550187"),
    ("phone", "我的手机是13800138000"),
    ("phone", "我的手机是１３８００１３８０００"),
    ("phone", "Telefon: 030 901820"),
    ("phone", "טלפון: \u200e+972 3 123 4567\u200f"),
    ("phone", "هاتف: ٠٥٠١٢٣٤٥٦٧"),
    ("credit_card", "it is 4111 1111 1111 1111"),
    ("credit_card", "4111-1111-1111-1111, valid 12/27"),
    ("credit_card", "378282246310005"),
    ("credit_card", "3782 822463 10005"),
    ("credit_card", "5555555555554444"),
    ("credit_card", "6011111111111117"),
    ("ip_address", "I come from 82.9.34.77"),
    ("ip_address", "地址是82.9.34.77。"),
    ("ip_address", "http://67.170.178.242:8080/x"),
    ("ip_address", "2a00:1450:4001:814::200e"),
    ("ssn", "it is 536-22-8726"),
    ("ssn", "my SSN: 536228726"),
    ("iban", "DE89 3704 0044 0532 0130 00 is mine"),
    ("iban", "GB29NWBK60161331926819"),
    ("iban", "fr1420041010050500013m02606"),
    ("date_of_birth", "I was born on 1990-04-23"),
    ("date_of_birth", "date of birth: 04/23/1990"),
    ("date_of_birth", "Geburtsdatum 23.4.1990"),
    ("date_of_birth", "my birthday is 23rd of April 1990"),
    ("date_of_birth", "DOB April 23, 1990"),
    ("date_of_birth", "我的生日是1990年4月23日"),
    ("date_of_birth", "nacido el 23 de abril de 1990"),
]

NOT_FOUND = [
    "",
    "😀",
    "write to me @home",
    "git clone git@github.com:ada/engine.git",
    "ssh://ada@example.org/",
    "https://example.org/man/systemd-fsck@.service.html",
    "order 2125550187 of 1699999999",
    "version 1-234-567",
    "4111 1111 1111 1112",
    "1234 5678 9012 3452",
    "the sum is 41111111111111110000",
    "192.168.1.10 and 10.0.0.1 and 127.0.0.1",
    "Firefox 2.0.0.14, kernel 2.6.28.12, 6.20.155.1+x, 1.2.3.4.5, 82.9.34.77-1",
    "999.10.20.30",
    "it took 12:30:45, mac 00:22:3f:c6:68:f5, std::vector, 2001:db8::1, fe80::1",
    "000-12-3456 and 666-12-3456 and 912-12-3456 and 536228726",
    "part 1-536-22-8726-9",
    "DE89 3704 0044 0532 0130 01",
    "delivered on 1990-04-23, was here 04/23/1990",
]


def counts_of(said: str) -> dict[str, int]:
    output: Any = run(text(user(0, said)))
    return {kind: count for kind, count in output["total"].items() if count}


@pytest.mark.parametrize(("kind", "said"), FOUND)
def test_it_is_found_once_as_what_it_is(kind: str, said: str) -> None:
    assert counts_of(said) == {kind: 1}


@pytest.mark.parametrize("said", NOT_FOUND)
def test_what_only_looks_like_it_is_not_found(said: str) -> None:
    assert counts_of(said) == {}


def test_counts_are_by_side_and_in_total() -> None:
    output: Any = run(
        text(
            user(0, "I am ada@example.org or 82.9.34.77"),
            assistant(1, "ada@example.org?"),
            user(2, "yes"),
            spoken(3, Role.TOOL, "ada@example.org, ada@example.org"),
        )
    )
    none = dict.fromkeys(KINDS, 0)
    assert output == {
        "total": {**none, "email": 4, "ip_address": 1},
        "roles": {
            "user": {**none, "email": 1, "ip_address": 1},
            "assistant": {**none, "email": 1},
            "other": {**none, "email": 2},
        },
        "finding_count": 5,
        "message_count": 3,
        "cut_message_count": 0,
    }


def test_what_lies_beyond_the_bound_is_not_found_and_told() -> None:
    output: Any = run(text(user(0, "a" * MESSAGE_CHARACTERS + " ada@example.org")))
    assert (output["finding_count"], output["cut_message_count"]) == (0, 1)


def digits_with_luhn(body: str) -> str:
    return next(f"{body}{last}" for last in range(10) if is_luhn(f"{body}{last}"))


NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=5, max_size=12)
CARDS = st.text("0123456789", min_size=14, max_size=14).map(lambda it: digits_with_luhn("4" + it))
PHONES = st.text("0123456789", min_size=9, max_size=9).map(lambda it: f"+49 {it[:3]} {it[3:]}")
MAILS = st.builds("{}.{}@{}.org".format, NAMES, NAMES, NAMES)
ADDRESSES = st.tuples(*[st.integers(11, 223)] * 4).map(lambda it: ".".join(map(str, it)))


@given(st.lists(st.one_of(CARDS, PHONES, MAILS, ADDRESSES), min_size=1, max_size=5))
def test_no_value_is_in_the_output(values: list[str]) -> None:
    output = to_json(run(text(user(0, f"my phone, card and mail: {' ; '.join(values)}"))))
    parts = {part for value in values for part in [value, *value.split(), *value.split("@")]}
    assert not [part for part in parts if len(part) > 3 and part in output]


@given(CARDS)
def test_any_card_is_found(card: str) -> None:
    assert counts_of(f"it is {card}.").get("credit_card") == 1


@given(st.text("ab1@. ", max_size=200), st.integers(10, 60))
def test_windows_find_what_one_search_finds(said: str, window: int) -> None:
    pattern = re.compile(r"(?<![a-z1])[ab1]{1,6}@?(?=[^@])")
    whole = [match.span() for match in pattern.finditer(said)]
    assert [match.span() for match in matches(pattern, said, window, 10)] == whole


@pytest.mark.timeout(60)
@pytest.mark.parametrize("said", ["!a", "1-", "4111 ", "a@a.", "٠", "1:", "DE89"])
def test_what_was_made_to_last_ends_within_seconds(said: str) -> None:
    output: Any = run(text(user(0, said * 100_000)))
    assert output["cut_message_count"] <= 1
