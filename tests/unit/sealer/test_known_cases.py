"""Session windows as Kafka Streams, Flink and Beam test them, sealed by our rule."""

from datetime import datetime, timedelta
from random import Random

import pytest

from parley.events import Policy
from parley.seals import SegmentSealed
from tests.unit.sealer.known_cases.beam import BEAM
from tests.unit.sealer.known_cases.case import Case, Mark, Said, Sealed
from tests.unit.sealer.known_cases.flink import FLINK
from tests.unit.sealer.known_cases.kafka_streams import KAFKA
from tests.unit.sealer.properties import run_at_once, run_in_batches
from tests.unit.sealer.samples import START, at, message
from tests.unit.sealer.strategies import Log, tick

CASES = (*KAFKA, *FLINK, *BEAM)

MILLISECOND = timedelta(milliseconds=1)
# Past every deadline of the cases.
END_S = 10_000


def log_of(case: Case) -> Log:
    """The case's steps as records; messages arrive at the watermark that was reached."""
    log, now = Log(), at(0)
    for number, step in enumerate(case.steps):
        if isinstance(step, Mark):
            now = START + step.time * MILLISECOND
            log.append((tick(), now))
        else:
            gap = (case.gap if step.gap is None else step.gap) * MILLISECOND
            grace = case.grace * MILLISECOND
            policy = Policy("case", 1, gap, grace, max_messages=case.max_messages)
            said = message(number, step.time / 1_000, conversation_id=step.key, policy=policy)
            log.append((said, now))
    log.append((tick(), at(END_S)))
    return log


def told(seal: SegmentSealed) -> Sealed:
    return Sealed(
        seal.conversation_id,
        _ms(seal.started_at),
        _ms(seal.ended_at),
        seal.message_count,
        seal.revision,
        len(seal.retracted),
        seal.cause.value,
    )


def _ms(moment: datetime) -> int:
    return (moment - START) // MILLISECOND


@pytest.mark.parametrize("case", CASES, ids=lambda one: f"{one.project}: {one.method}")
def test_a_case_of_another_project_is_sealed_by_our_rule(case: Case) -> None:
    log = log_of(case)
    decided = run_at_once(log)
    assert [told(one) for one in decided if isinstance(one, SegmentSealed)] == list(case.seals)
    # And after a restart behind every record.
    assert run_in_batches(log, 1, 1.0, Random(0)) == decided


def test_every_case_has_a_message_and_an_origin_of_its_own() -> None:
    assert all(any(isinstance(step, Said) for step in case.steps) for case in CASES)
    assert len({(case.project, case.method) for case in CASES}) == len(CASES)
