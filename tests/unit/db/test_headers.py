"""Headers as they stand in a column."""

from parley.db.headers import headers_from_json, headers_to_json


def test_headers_come_back_in_their_order_and_more_than_once() -> None:
    headers = (("b", b"\xff\0"), ("a", b""), ("b", b"2"))
    assert headers_from_json(headers_to_json(headers)) == headers


def test_a_nul_in_a_name_is_a_sign_that_the_database_takes() -> None:
    text = headers_to_json((("x\0y", b"a"),))
    assert "\\u0000" not in text
    assert headers_from_json(text) == (("x\N{SYMBOL FOR NULL}y", b"a"),)
