"""When a person who waits for an import is told that nothing moves."""

from parley.cli.stall import STALLED_AFTER_S, StallWatch
from parley.importing.follow import Phase


def test_ten_seconds_without_progress_are_told_once() -> None:
    watch = StallWatch(100.0)
    assert watch.observe(Phase.STORED, 0, 109.9) is None
    told = watch.observe(Phase.STORED, 0, 110.0)
    assert told == (
        "nothing has been read for 10 s: is the persister running? `parley status` shows it; "
        "Ctrl-C leaves the import safely in the log"
    )
    assert watch.observe(Phase.STORED, 0, 110.0 + 10 * STALLED_AFTER_S) is None


def test_whatever_moves_is_waited_for_in_silence() -> None:
    watch = StallWatch(0.0)
    for second in range(100):
        assert watch.observe(Phase.SEALED, second // 9, float(second)) is None


def test_each_phase_names_its_own_service() -> None:
    for phase, service in zip(Phase, ("persister", "sealer", "analyzer"), strict=True):
        told = StallWatch(0.0).observe(phase, 0, STALLED_AFTER_S)
        assert told is not None
        assert f"is the {service} running?" in told
