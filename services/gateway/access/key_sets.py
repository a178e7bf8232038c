"""A JSON Web Key Set as the keys that it holds: public ones, each for its own signatures only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

MAX_FILE_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256"})
_BY_CURVE: Final = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
# Private parts, of asymmetric keys and of shared ones.
_SECRET_MEMBERS: Final = frozenset({"d", "k"})


class BadKeySet(Exception):
    """A file that holds no set of public keys; the message says why."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, and the signatures that it may have made."""

    key: Any
    algorithms: frozenset[str]


KeySet = Mapping[str, VerifyingKey]


def parse_key_set(raw: bytes) -> KeySet:
    """The usable keys by their `kid`; raises BadKeySet, also for a set without any.

    Keys for other uses than signatures, of other kinds, or without a `kid` are left out.
    """
    keys: dict[str, VerifyingKey] = {}
    for member in _members(raw):
        algorithms = _algorithms(member)
        name = member.get("kid")
        if not algorithms or not isinstance(name, str) or not name:
            continue
        if name in keys:
            raise BadKeySet("two of its keys have the same kid")
        keys[name] = VerifyingKey(_public_key(member, algorithms), algorithms)
    if not keys:
        raise BadKeySet("it holds no public key, with a kid, that tokens could be signed with")
    return keys


def _members(raw: bytes) -> list[dict[str, Any]]:
    if len(raw) > MAX_FILE_BYTES:
        raise BadKeySet(f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadKeySet("it is not JSON") from error
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list) or not all(isinstance(one, dict) for one in members):
        raise BadKeySet("it is not an object with a list of keys")
    if len(members) > MAX_KEYS:
        raise BadKeySet(f"it holds more than {MAX_KEYS} keys")
    if any(_SECRET_MEMBERS & one.keys() for one in members):
        raise BadKeySet("it holds a private key, which must not be here")
    return members


def _algorithms(member: Mapping[str, Any]) -> frozenset[str]:
    """What the key may have signed with, by its kind and not by what a token says."""
    if member.get("use", "sig") != "sig" or "verify" not in member.get("key_ops", ["verify"]):
        return frozenset()
    kind = member.get("kty")
    of_kind = _RSA if kind == "RSA" else _BY_CURVE.get((str(kind), str(member.get("crv"))))
    named = member.get("alg")
    return (of_kind or frozenset()) & ({named} if isinstance(named, str) else _ANY)


_ANY: Final = _RSA.union(*_BY_CURVE.values())


def _public_key(member: dict[str, Any], algorithms: frozenset[str]) -> Any:
    try:
        key = jwt.PyJWK.from_dict(member, min(algorithms)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise BadKeySet("one of its keys cannot be read") from error
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        raise BadKeySet(f"one of its RSA keys has fewer than {MIN_RSA_BITS} bits")
    return key
