"""Whoever signs tokens for the tests: its keys, its key set, and tokens good and bad."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from parley import clock
from services.gateway.settings import GatewaySettings

AUDIENCE = "parley"
ISSUER = "https://login.example.com"
SECRET = "0123456789abcdef0123456789abcdef"

# Made once: RSA keys take their time.
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()

_ALGORITHMS: dict[str, Any] = {
    "rsa": jwt.algorithms.RSAAlgorithm,
    "ec": jwt.algorithms.ECAlgorithm,
    "ed": jwt.algorithms.OKPAlgorithm,
}
KEYS: dict[str, Any] = {"rsa": RSA, "ec": EC, "ed": ED}
SIGNED_WITH = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


def jwk(name: str, key: Any = None, **members: Any) -> dict[str, Any]:
    """The public part of one of the keys, or of `key`, as a member of a key set."""
    public = (key or KEYS[name]).public_key()
    return {**_ALGORITHMS[name].to_jwk(public, as_dict=True), "kid": name, **members}


def key_set(*members: dict[str, Any]) -> bytes:
    """A key set of these members; of all keys without any."""
    return orjson.dumps({"keys": members or [jwk(name) for name in KEYS]})


def pem(key: Any) -> bytes:
    """A public key as people publish it, too."""
    return bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says; None leaves a claim out."""
    now = clock.now()
    whole = {
        "sub": "user-1",
        "tenant": "acme",
        "roles": ["user"],
        "aud": AUDIENCE,
        "iss": ISSUER,
        "iat": now,
        "exp": now + timedelta(minutes=5),
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


def token(name: str = "rsa", headers: dict[str, Any] | None = None, **changed: Any) -> str:
    """A good token, but for what is changed."""
    kid = {"kid": name}
    return jwt.encode(
        claims(**changed), KEYS[name], SIGNED_WITH[name], headers={**kid, **(headers or {})}
    )


def write_key_set(folder: Path, *members: dict[str, Any]) -> Path:
    """A file with a key set."""
    path = folder / "keys.json"
    path.write_bytes(key_set(*members))
    return path


def settings(folder: Path, **changed: Any) -> GatewaySettings:
    """Settings of a gateway that believes this issuer."""
    whole: dict[str, Any] = {
        "gateway_access": "on",
        "gateway_jwks_file": write_key_set(folder),
        "gateway_jwt_audience": AUDIENCE,
        "gateway_jwt_issuer": ISSUER,
        **changed,
    }
    return GatewaySettings(**whole)
