"""The verification that docs/webhooks.md shows is run here as it stands there."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.webhooks.signing import secret_of, signature

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
BODY = b'{"type":"verdict.created"}'


@pytest.fixture
def verify() -> Callable[..., bool]:
    """The function of the document, which has nothing but Python's own library."""
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)  # noqa: S102 - our own document
    assert len([line for line in code.splitlines() if line and "import" not in line]) == 8
    verified: Callable[..., bool] = found["is_from_parley"]
    return verified


def secret(version: int) -> str:
    return secret_of("k" * 32, "acme", "crm", version)


def test_the_documented_code_takes_what_parley_signs(verify: Callable[..., bool]) -> None:
    header = signature({1: secret(1)}, int(time.time()), BODY)
    assert verify({"k1": secret(1)}, header, BODY)


def test_it_takes_either_secret_during_a_rotation(verify: Callable[..., bool]) -> None:
    now = int(time.time())
    header = signature({2: secret(2), 1: secret(1)}, now, BODY)
    assert verify({"k1": secret(1)}, header, BODY)
    assert verify({"k2": secret(2)}, header, BODY)
    assert not verify({"k3": secret(1)}, header, BODY)


def test_it_refuses_other_bytes_other_secrets_and_what_is_old(verify: Callable[..., bool]) -> None:
    now = int(time.time())
    header = signature({1: secret(1)}, now, BODY)
    assert not verify({"k1": secret(1)}, header, BODY + b" ")
    assert not verify({"k1": secret(2)}, header, BODY)
    old = signature({1: secret(1)}, now - 301, BODY)
    assert not verify({"k1": secret(1)}, old, BODY)
    # A time that was moved does not fit its signature any more.
    assert not verify({"k1": secret(1)}, header.replace(f"t={now}", f"t={now - 1}"), BODY)
