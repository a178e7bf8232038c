"""Tokens that must never be believed: a thousand and more, of every kind of lie."""

import base64
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import orjson

from parley import clock
from parley.api_keys import make_key
from tests.unit.gateway.access import issuer
from tests.unit.gateway.access.issuer import claims, token

KIDS: tuple[Any, ...] = (
    "../../../../dev/null",
    "/dev/null",
    "keys.json",
    "rsa\0",
    "RSA",
    "rsa' OR '1'='1",
    "https://evil.example/keys",
    "",
    " rsa",
    "\u202ersa",
    "a" * 4_000,
    7,
    None,
    ["rsa"],
    {"rsa": "rsa"},
    True,
)
ALGORITHMS: tuple[Any, ...] = (
    *("none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "RS256 ", "rs256", "PS256"),
    *("ES512", "ES256K", "dir", "A128GCM", "RSA-OAEP", None, 1, ["RS256"], {"a": 1}, True),
)


def part(value: object) -> str:
    """A segment of a token."""
    raw = value if isinstance(value, bytes) else orjson.dumps(value, default=_seconds)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _seconds(value: Any) -> int:
    return int(value.timestamp())


def forged(header: object, payload: object, signature: bytes = b"") -> str:
    """Three segments, signed by nobody."""
    return f"{part(header)}.{part(payload)}.{part(signature)}"


def payload() -> dict[str, Any]:
    """Claims that would be good, if anybody had signed them."""
    return {
        name: _seconds(value) if name in ("exp", "iat") else value
        for name, value in claims(roles=["operator"]).items()
    }


def hs256(secret: bytes, kid: str) -> str:
    """Signed with anything as if it were a shared secret."""
    unsigned = forged({"alg": "HS256", "typ": "JWT", "kid": kid}, payload()).rpartition(".")[0]
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return f"{unsigned}.{part(algorithm.sign(unsigned.encode(), secret))}"


def unsigned_tokens() -> Iterator[str]:
    """Headers that lie, over good claims."""
    for algorithm in ALGORITHMS:
        for kid in KIDS:
            header = {"alg": algorithm, "kid": kid, "typ": "JWT"}
            yield forged(header, payload())
            yield forged(header, payload(), b"\0" * 256)
    for raw in (b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b"[" * 3_000, b'{"a":' * 900):
        yield forged(raw, payload())
    extras: tuple[dict[str, Any], ...] = ({"b64": False, "crit": ["b64"]}, {"crit": 7}, {"jwk": {}})
    for extra in extras:
        yield forged({"alg": "RS256", "kid": "rsa", **extra}, payload())


def tokens_of_others() -> Iterator[str]:
    """Well signed, by somebody or for somebody else."""
    for kid in ("rsa", "ec", "ed", "other"):
        yield jwt.encode(claims(), issuer.OTHER_RSA, "RS256", headers={"kid": kid})
        yield jwt.encode(claims(), issuer.EC, "ES256", headers={"kid": kid + "x"})
        for public in (issuer.RSA, issuer.EC, issuer.ED):
            yield hs256(issuer.pem(public), kid)
            yield hs256(issuer.pem(public).strip(), kid)
            yield hs256(issuer.key_set(), kid)
            yield hs256(b"", kid)
    now = clock.now()
    lies: tuple[dict[str, Any], ...] = (
        {"aud": "other"},
        {"aud": []},
        {"aud": {}},
        {"aud": [["parley"]]},
        {"aud": "parley "},
        {"iss": "https://evil.example"},
        {"iss": issuer.ISSUER + "/"},
        {"exp": now - timedelta(minutes=1)},
        {"exp": 0},
        {"exp": -1},
        {"exp": 10**30},
        {"exp": "soon"},
        {"exp": None},
        {"nbf": now + timedelta(hours=1)},
        {"nbf": "later"},
        {"iat": now + timedelta(hours=1)},
        {"sub": ""},
        {"sub": "\ud800"},
        {"sub": "x" * 600},
        {"tenant": "closed"},
        {"tenant": "../acme"},
        {"tenant": "ACME"},
        {"tenant": "acme\0"},
        {"tenant": {"name": "acme"}},
        {"roles": {"user": True}},
        {"user_id": None, "roles": 7},
    )
    for name in ("rsa", "ec", "ed"):
        for changed in lies:
            yield token(name, **changed)


def texts() -> Iterator[str]:
    """No tokens at all."""
    yield from ("", " ", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "Bearer", "null", "undefined")
    yield from ("\0", "\n", "💥", "ключ", "a" * 8_193, "a." * 5_000, "." * 8_192, "[" * 8_192)
    yield token() + "." + token()
    yield token().replace(".", "．")
    yield f"{'0' * 9_000}{token()}"
    yield from ("parley_", "parley__", "parley_0123456789abcdef_", "parley_" + "f" * 8_000)
    yield make_key().text
    yield make_key().text + "'"


def damaged(seed: int, count: int) -> Iterator[str]:
    """Good tokens with one character gone, changed or doubled: never a padding bit alone."""
    chosen = random.Random(seed)
    for _ in range(count):
        good = token(chosen.choice(("rsa", "ec", "ed")))
        at = chosen.randrange(len(good) - 4)
        other = chosen.choice("ABCxyz019-_.=+/ é\0")
        changed = chosen.choice((good[at], other))
        text = good[:at] + chosen.choice(("", changed * 2, other)) + good[at + 1 :]
        if text != good:
            yield text


def hostile_tokens(seed: int) -> list[str]:
    """All of them."""
    return [*unsigned_tokens(), *tokens_of_others(), *texts(), *damaged(seed, 300)]
