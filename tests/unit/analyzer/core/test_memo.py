"""Which answers are the same."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from parley.analyses import JobEndKind
from services.analyzer.core.memo import memo_key, memo_of
from services.analyzer.core.outcomes import end_of
from tests.unit.analyzer.samples import at, attempt, segment

PARTS = st.tuples(st.text(max_size=5), st.binary(max_size=5), st.text(max_size=5))


@given(PARTS, PARTS)
def test_tenant_content_and_fingerprint_make_the_key(
    one: tuple[str, bytes, str], other: tuple[str, bytes, str]
) -> None:
    assert (memo_key(*one) == memo_key(*other)) == (one == other)


def test_only_verdicts_of_models_are_remembered() -> None:
    verdict = replace(
        end_of(attempt(segment(), "p"), JobEndKind.VERDICT, "", "w", at(300)),
        content_digest=b"c",
        output_json="{}",
        model="m",
    )
    kept = memo_of(verdict)
    assert kept is not None
    assert kept.key == memo_key("acme", b"c", "f")
    assert memo_of(replace(verdict, model="")) is None
    assert memo_of(replace(verdict, end=JobEndKind.FAILED)) is None
