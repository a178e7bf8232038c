"""Which errors of the database pass by themselves, and what is said of them."""

import ssl

import asyncpg
import pytest
from asyncpg.exceptions import _base

from parley.db.errors import describe, is_transient


def server_error(sqlstate: str, message: str = "", detail: str = "") -> Exception:
    fields = {"C": sqlstate, "M": message, "D": detail, "S": "ERROR"}
    made: Exception = asyncpg.exceptions.PostgresError.new(fields)
    return made


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("08000", "08003", "08006", "08P01"),
        *("53000", "53100", "53200", "53300"),
        *("57014", "57P01", "57P02", "57P03"),
        *("40P01", "40001", "40003", "55P03", "25P03", "25P04", "58030"),
    ],
)
def test_what_passes_by_itself_is_tried_again(sqlstate: str) -> None:
    assert is_transient(server_error(sqlstate))


@pytest.mark.parametrize("sqlstate", ["22003", "23514", "54000", "42P01", "42703", "XX000"])
def test_what_does_not_pass_is_not(sqlstate: str) -> None:
    assert not is_transient(server_error(sqlstate))


def test_a_broken_connection_passes() -> None:
    closed = asyncpg.InterfaceError("connection is closed")
    confused = asyncpg.InternalClientError("cannot switch to state 15")
    untrusted = ssl.SSLCertVerificationError("certificate has expired")
    for error in (OSError(), TimeoutError(), closed, confused, untrusted):
        assert is_transient(error)


def test_faults_of_a_value_or_of_the_program_do_not_pass() -> None:
    for error in (ValueError(), OverflowError(), KeyError(), asyncpg.DataError("invalid input")):
        assert not is_transient(error)


def test_what_asyncpg_cannot_send_does_not_pass_although_it_calls_that_an_interface_error() -> None:
    unsendable = _base.DataError("invalid input for query argument $1: 2 ** 70")
    assert isinstance(unsendable, asyncpg.InterfaceError)
    assert not is_transient(unsendable)


def test_an_error_is_described_without_what_the_row_held() -> None:
    full = server_error("53100", "could not extend file", "Failing row contains (secret).")
    assert describe(full) == "DiskFullError (53100): could not extend file"
    assert "secret" not in describe(full)
    assert describe(ConnectionResetError()) == "ConnectionResetError"
