"""What a person is told who asks for more than the log of deliveries knows."""

from datetime import UTC, datetime, timedelta

from parley.cli.webhooks.redelivering import Begun, Reach, left_out_sentences, reach_of

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
KEPT = timedelta(days=30)
LOG_BEGIN = NOW - KEPT


def test_what_the_log_of_deliveries_knows_is_told_of_and_the_rest_only_on_request() -> None:
    recent, long_ago = NOW - timedelta(days=2), NOW - timedelta(days=90)
    assert reach_of(recent, LOG_BEGIN, takes_all=False) == Reach(recent, recent)
    assert reach_of(long_ago, LOG_BEGIN, takes_all=False) == Reach(long_ago, LOG_BEGIN)
    assert reach_of(long_ago, LOG_BEGIN, takes_all=True) == Reach(long_ago, long_ago)


def test_what_was_left_out_is_said_with_what_to_do_instead() -> None:
    assert left_out_sentences(Begun(3), KEPT) == []
    (nothing,) = left_out_sentences(Begun(3, 0, LOG_BEGIN), KEPT)
    assert "kept for 30d" in nothing
    assert "no verdict" in nothing
    warning, instead = left_out_sentences(Begun(0, 1_204, LOG_BEGIN), KEPT)
    assert warning.startswith("WARNING: ")
    assert "before 2026-03-01 12:00 UTC" in warning
    assert "1,204 verdicts from before are left out" in warning
    assert "parley export verdicts" in instead
    assert "--again" in instead
