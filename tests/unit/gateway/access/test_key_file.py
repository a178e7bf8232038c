"""The file of keys: taken when it changes, kept when it breaks, and what may be in it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from parley.errors import UserError
from services.gateway.access import key_file
from services.gateway.access.key_file import KeyFile
from services.gateway.access.key_sets import MAX_FILE_BYTES, BadKeySet, parse_key_set
from tests.support.wait import eventually
from tests.unit.gateway.access.issuer import OTHER_RSA, jwk, key_set, write_key_set

SHORT_RSA = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused


def names(file: KeyFile) -> set[str]:
    return set(file.keys)


def broken_count() -> float:
    sample = "parley_gateway_jwks_reloads_total"
    return REGISTRY.get_sample_value(sample, {"outcome": "broken"}) or 0.0


async def test_a_new_key_counts_and_an_old_one_does_not_any_more(tmp_path: Path) -> None:
    file = KeyFile(write_key_set(tmp_path, jwk("rsa")))
    write_key_set(tmp_path, jwk("rsa"), jwk("ec"))
    await file.refresh()
    assert names(file) == {"rsa", "ec"}
    write_key_set(tmp_path, jwk("ec"))
    await file.refresh()
    assert names(file) == {"ec"}


async def test_a_key_that_was_replaced_under_its_name_counts(tmp_path: Path) -> None:
    path = write_key_set(tmp_path, jwk("rsa"))
    file = KeyFile(path)
    before = file.keys["rsa"].key.public_numbers()
    other = tmp_path / "next.json"
    other.write_bytes(key_set(jwk("rsa", OTHER_RSA)))
    # As careful people replace a file, here even with its old times.
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    await file.refresh()
    assert file.keys["rsa"].key.public_numbers() != before


@pytest.mark.parametrize("content", [b"", b"{", b'{"keys":[]}', b"\xff" * 10, None])
async def test_a_broken_file_keeps_the_old_keys_and_is_told_once(
    tmp_path: Path, content: bytes | None
) -> None:
    path = write_key_set(tmp_path, jwk("rsa"))
    file = KeyFile(path)
    before = broken_count()
    path.unlink() if content is None else path.write_bytes(content)
    with capture_logs() as lines:
        for _ in range(3):
            await file.refresh()
    assert [line["event"] for line in lines] == ["jwks_broken"]
    assert broken_count() == before + 1
    assert names(file) == {"rsa"}
    write_key_set(tmp_path, jwk("ec"))
    await file.refresh()
    assert names(file) == {"ec"}


async def test_the_file_is_looked_at_while_the_gateway_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "RECHECK_S", 0.02)
    file, stop = KeyFile(write_key_set(tmp_path, jwk("rsa"))), asyncio.Event()
    running = asyncio.create_task(file.run(stop))
    write_key_set(tmp_path, jwk("ec"))

    async def is_taken() -> bool:
        return names(file) == {"ec"}

    await eventually(is_taken, timeout=5)
    stop.set()
    await asyncio.wait_for(running, 5)


@pytest.mark.parametrize("content", [None, b"{}"])
def test_a_gateway_does_not_start_with_a_file_that_cannot_be_used(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="PARLEY_GATEWAY_JWKS_FILE"):
        KeyFile(path)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([jwk("rsa", use="enc")], "no public key"),
        ([jwk("rsa", key_ops=["encrypt"])], "no public key"),
        ([jwk("rsa", kid=None)], "no public key"),
        ([jwk("rsa", alg="RSA-OAEP")], "no public key"),
        ([jwk("ec", ec.generate_private_key(ec.SECP521R1()))], "no public key"),
        ([{"kty": "oct", "kid": "s", "k": "c2VjcmV0"}], "private key"),
        ([jwk("rsa"), jwk("ec", d="AAAA")], "private key"),
        ([jwk("rsa"), jwk("ec", kid="rsa")], "same kid"),
        ([jwk("rsa", SHORT_RSA)], "fewer than 2048 bits"),
        ([jwk("rsa", n="AQAB")], "cannot be read"),
        ([jwk("ec", x="AAAA")], "cannot be read"),
        ([jwk("rsa", n=7)], "cannot be read"),
        (["rsa"], "list of keys"),
        ([jwk("rsa", kid=str(n)) for n in range(101)], "more than 100"),
    ],
)
def test_what_must_not_be_in_a_key_set(members: list[Any], said: str) -> None:
    with pytest.raises(BadKeySet, match=said):
        parse_key_set(orjson.dumps({"keys": members}))


def test_a_file_that_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(BadKeySet, match="larger"):
        parse_key_set(b" " * (MAX_FILE_BYTES + 1))


def test_keys_for_other_uses_may_stand_beside_those_for_signatures() -> None:
    found = parse_key_set(key_set(jwk("rsa"), jwk("ec", use="enc"), {"kty": "AKP", "kid": "x"}))
    assert set(found) == {"rsa"}
    assert "RS256" in found["rsa"].algorithms
    assert "ES256" not in found["rsa"].algorithms
