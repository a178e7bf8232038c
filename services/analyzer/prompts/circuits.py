"""Remembers of each model whether it answers; each process finds out by itself."""

from collections.abc import Callable
from datetime import timedelta

import structlog

from parley import clock
from services.analyzer.core.circuit import (
    NO_REST,
    Circuit,
    CircuitRules,
    CircuitState,
    rest_after,
    with_jitter,
)
from services.analyzer.metrics import CIRCUIT

log = structlog.get_logger(__name__)

_SHOWN = {CircuitState.CLOSED: 0.0, CircuitState.HALF_OPEN: 0.5, CircuitState.OPEN: 1.0}


class Circuits:
    """The circuits by model; `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        rules: CircuitRules,
        first_rest: timedelta,
        longest_rest: timedelta,
        chance: Callable[[], float],
    ) -> None:
        self._rules = rules
        self._first_rest = first_rest
        self._longest_rest = longest_rest
        self._chance = chance
        self._circuits: dict[str, Circuit] = {}

    def free_calls(self, model: str, most: int) -> int:
        """How many calls of the model may begin, of `most`."""
        return self._of(model).free_calls(clock.now(), most)

    def state(self, model: str) -> CircuitState:
        """Whether the model is called."""
        return self._of(model).state(clock.now())

    def states(self) -> dict[str, str]:
        """The models that did not answer when they were last asked, for people."""
        return {model: self.state(model).value for model in sorted(self._circuits)}

    def not_called(self) -> list[str]:
        """The models that are left alone, but for the call that finds out."""
        closed = CircuitState.CLOSED
        return [model for model in sorted(self._circuits) if self.state(model) is not closed]

    def show(self) -> None:
        """Tell Prometheus."""
        for model in self._circuits:
            CIRCUIT.labels(model).set(_SHOWN[self.state(model)])

    def probing(self, model: str) -> None:
        """A job is about to ask."""
        self._set(model, self._of(model).probing(clock.now()))

    def undecided(self, model: str) -> None:
        """The job ended without having asked."""
        self._set(model, self._of(model).undecided())

    def answered(self, model: str) -> None:
        """The model is there."""
        self._set(model, Circuit())
        # Also where it never failed: so it shows that somebody reaches it whom others do not.
        CIRCUIT.labels(model).set(0.0)

    def blamed(self, model: str) -> tuple[str, ...]:
        """The segments over which it has failed since it last answered."""
        return self._of(model).blamed

    def failed(
        self, model: str, retry_after: timedelta | None, segment_id: str | None = None
    ) -> timedelta:
        """The model was not available; returns how long the job should rest.

        `segment_id` is that of the segment that may be to blame.
        """
        before = self._of(model)
        wait = retry_after or NO_REST
        after = before.failed(clock.now(), self._rules, wait, segment_id)
        if after.opening_count > before.opening_count:
            log.warning("circuit_opened", model=model, failures=after.failure_count)
        self._set(model, after)
        rest = rest_after(before.failure_count, self._first_rest, self._longest_rest)
        return with_jitter(rest, wait, self._chance())

    def _of(self, model: str) -> Circuit:
        return self._circuits.get(model, Circuit())

    def _set(self, model: str, circuit: Circuit) -> None:
        if circuit == Circuit():
            self._circuits.pop(model, None)
        else:
            self._circuits[model] = circuit
            self.show()
