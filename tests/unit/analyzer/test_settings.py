"""The analyzer's settings of models: what is unset, what is wrong, and what is never printed."""

import pytest

from parley.errors import UserError
from services.analyzer.settings import AnalyzerSettings


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_an_empty_key_and_an_empty_address_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("OPENAI_BASE_URL", "")
    settings = AnalyzerSettings.load()
    assert (settings.openai_api_key, settings.openai_base_url) == (None, None)
    assert not settings.has_provider


@pytest.mark.parametrize(
    ("name", "value"), [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "http://localhost:9/v1")]
)
def test_a_key_or_an_address_is_a_provider(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert AnalyzerSettings.load().has_provider


def test_the_key_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    assert "sk-canary" not in repr(AnalyzerSettings.load())


def test_prices_are_read_by_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ANALYZER_MODEL_PRICES", '{"mine": [0.15, 0.6]}')
    assert AnalyzerSettings.load().analyzer_model_prices == {"mine": (0.15, 0.6)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_BASE_URL", "models.example.com"),
        ("OPENAI_BASE_URL", "http://"),
        ("OPENAI_BASE_URL", "http://[half"),
        ("OPENAI_API_KEY", "two words"),
        ("OPENAI_API_KEY", "schlüssel"),
        ("PARLEY_ANALYZER_MODEL_STRUCTURE", "guess"),
        ("PARLEY_ANALYZER_MODEL_PRICES", '{"mine": [-1, 0]}'),
        ("PARLEY_ANALYZER_MODEL_PRICES", '{"mine": 1}'),
        ("PARLEY_ANALYZER_MODEL_CONNECT_TIMEOUT", "0"),
    ],
)
def test_a_wrong_one_stops_the_start_by_its_name_and_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"{name} is wrong") as wrong:
        AnalyzerSettings.load()
    assert "schlüssel" not in str(wrong.value)
