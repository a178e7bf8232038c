"""What tests of answers share."""

import pytest

from services.gateway.responder import answer


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "REST_S", 0.0)
