"""Whether a model is called is told to Prometheus, also by those that reach it."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from services.analyzer.core.circuit import CircuitRules
from services.analyzer.metrics import CIRCUIT
from services.analyzer.prompts.circuits import Circuits

REST = timedelta(minutes=1)


@pytest.fixture
def circuits() -> Circuits:
    CIRCUIT.clear()
    return Circuits(CircuitRules(2, REST, REST), REST, REST, lambda: 0.0)


def shown(model: str) -> float | None:
    return REGISTRY.get_sample_value("parley_analyzer_circuit_open", {"model": model})


def test_a_model_that_always_answers_is_told_as_one_that_is_called(circuits: Circuits) -> None:
    assert shown("m") is None
    circuits.answered("m")
    assert shown("m") == 0


def test_one_that_fails_is_told_once_it_is_left_alone_and_until_it_answers(
    circuits: Circuits,
) -> None:
    circuits.failed("m", None)
    assert shown("m") == 0
    circuits.failed("m", None)
    assert shown("m") == 1
    circuits.answered("m")
    assert shown("m") == 0


def test_models_are_told_apart(circuits: Circuits) -> None:
    circuits.answered("another")
    circuits.failed("m", None)
    circuits.failed("m", None)
    assert (shown("m"), shown("another")) == (1, 0)
