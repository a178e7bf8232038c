"""As many connections as the limits say, exactly, and nothing remembered of those that left."""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.gateway.core.admission import Admission, Limit, network_of


def admitted(admission: Admission, count: int, address: str = "10.0.0.1") -> list[Limit | None]:
    first = len(admission)
    return [admission.admit(f"{address}-{first + one}", address) for one in range(count)]


def test_past_the_total_nobody_comes_in_until_somebody_leaves() -> None:
    admission = Admission(2, 0, 0)
    assert admitted(admission, 3) == [None, None, Limit.CONNECTIONS]
    admission.leave("10.0.0.1-0")
    assert admission.admit("next", "10.0.0.2") is None


def test_one_address_leaves_room_for_others() -> None:
    admission = Admission(0, 0, 2)
    assert admitted(admission, 3) == [None, None, Limit.CONNECTIONS_PER_ADDRESS]
    assert admitted(admission, 1, "10.0.0.2") == [None]


def test_one_user_leaves_room_for_others() -> None:
    admission = Admission(0, 1, 0)
    admitted(admission, 3)
    assert admission.name("10.0.0.1-0", "a") is None
    assert admission.name("10.0.0.1-1", "a") is Limit.CONNECTIONS_PER_USER
    assert admission.name("10.0.0.1-1", "b") is None
    admission.leave("10.0.0.1-0")
    assert admission.name("10.0.0.1-2", "a") is None


def test_a_connection_that_says_again_whose_it_is_counts_once() -> None:
    admission = Admission(0, 1, 0)
    admitted(admission, 2)
    assert [admission.name("10.0.0.1-0", "a") for _ in range(2)] == [None, None]
    assert admission.name("10.0.0.1-0", "b") is None
    assert admission.name("10.0.0.1-1", "a") is None


def test_who_names_no_user_is_not_counted_as_one() -> None:
    admission = Admission(0, 1, 1)
    assert [admission.admit(str(number), "") for number in range(3)] == [None] * 3
    assert [admission.name(str(number), "") for number in range(3)] == [None] * 3


def test_leaving_twice_makes_no_room() -> None:
    admission = Admission(1, 0, 0)
    admission.admit("a", "x")
    assert admission.admit("b", "x") is Limit.CONNECTIONS
    admission.leave("b")
    admission.leave("b")
    assert admission.admit("c", "x") is Limit.CONNECTIONS


def test_a_connection_is_admitted_once() -> None:
    admission = Admission(0, 0, 0)
    admission.admit("a", "x")
    with pytest.raises(ValueError, match="once"):
        admission.admit("a", "x")


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("testclient", "testclient", True),
        ("", "::", False),
    ],
)
def test_a_customer_of_ipv6_has_one_address_however_many_he_uses(
    one: str, other: str, is_same: bool
) -> None:
    assert (network_of(one) == network_of(other)) is is_same


class Crowd(RuleBasedStateMachine):
    """Connections come, say who they are, and go; a plain count says what should have been."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(6, 2, 3)
        self.open: dict[str, tuple[str, str]] = {}
        self.next_number = 0

    def users(self) -> Counter[str]:
        return Counter(user for _, user in self.open.values() if user)

    def addresses(self) -> Counter[str]:
        return Counter(address for address, _ in self.open.values())

    @rule(address=st.sampled_from(["10.0.0.1", "10.0.0.2", "10.0.0.3"]))
    def come(self, address: str) -> None:
        connection, self.next_number = str(self.next_number), self.next_number + 1
        expected = None
        if len(self.open) >= 6:
            expected = Limit.CONNECTIONS
        elif self.addresses()[address] >= 3:
            expected = Limit.CONNECTIONS_PER_ADDRESS
        assert self.admission.admit(connection, address) is expected
        if expected is None:
            self.open[connection] = (address, "")

    @rule(user=st.sampled_from(["", "a", "b"]), data=st.data())
    def say_who(self, user: str, data: st.DataObject) -> None:
        if not self.open:
            return
        connection = data.draw(st.sampled_from(sorted(self.open)))
        address, former = self.open[connection]
        is_refused = user not in ("", former) and self.users()[user] >= 2
        expected = Limit.CONNECTIONS_PER_USER if is_refused else None
        assert self.admission.name(connection, user) is expected
        if not is_refused:
            self.open[connection] = (address, user)

    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        connection = data.draw(st.sampled_from([*sorted(self.open), "nobody"]))
        self.admission.leave(connection)
        self.open.pop(connection, None)

    @invariant()
    def nothing_is_remembered_of_those_who_left(self) -> None:
        assert len(self.admission) == len(self.open)
        # As plain dicts: a Counter takes a count of zero for none.
        users, addresses = self.admission.counted()
        assert (dict(users), dict(addresses)) == (dict(self.users()), dict(self.addresses()))


TestCrowd = Crowd.TestCase
