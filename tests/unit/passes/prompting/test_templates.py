"""Templates: what they may use is little, and what they could do harm with is refused by name."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.passes.prompting.templates import (
    MAX_TEMPLATE_CHARACTERS,
    InvalidTemplate,
    check_system,
    check_user,
    fill,
)

VALUES: dict[str, str | int] = {
    "message_count": 12,
    "shown_count": 12,
    "left_out_count": 0,
    "started_at": "2026-03-01T12:00:00Z",
    "ended_at": "2026-03-01T12:05:00Z",
    "transcript": "<the transcript>",
}


def test_facts_conditions_and_written_out_lists_can_be_used() -> None:
    source = """
{% if message_count > 10 %}
Long: {{ message_count }} messages.
{% else %}
Short.
{% endif %}
{% for word in ["good", "bad"] %}
- {{ word | upper }}
{% endfor %}
{{ transcript }}
"""
    check_user(source)
    assert fill(source, VALUES) == "Long: 12 messages.\n- GOOD\n- BAD\n<the transcript>"


def test_what_was_said_is_no_template() -> None:
    said = "{{ 7 * 7 }}{% for x in y %}"
    assert fill("{{ transcript }}", {**VALUES, "transcript": said}) == said


def test_nothing_is_escaped() -> None:
    assert fill("<b>{{ transcript }}", {**VALUES, "transcript": "<i>&"}) == "<b><i>&"


HARMFUL = [
    "{{ ''.__class__.__mro__ }}",
    "{{ transcript.format() }}",
    "{{ transcript['x'] }}",
    "{{ range(10) }}",
    "{{ lipsum() }}",
    "{{ 'a' * 1000000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ '%999999999d' % 1 }}",
    "{{ message_count | center(999999999) }}",
    "{{ message_count | attr('x') }}",
    "{% set x = 'a' %}",
    "{% for a in 'xx' %}{% endfor %}",
    "{% for a in [1] recursive %}{% endfor %}",
    "{% for a in [1] %}{% for b in [1] %}{% endfor %}{% endfor %}",
    "{% for a in [" + "1," * 200 + "] %}{% endfor %}",
    "{% for transcript in [1] %}{% endfor %}",
    "{% for message_count in [1] %}{% endfor %}",
    "{% macro a() %}{% endmacro %}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% block a %}{% endblock %}",
    "{{ unknown }}",
    "{{ tenant_id }}",
    "{% if %}",
    "{{ " + "(" * 5_000 + " }}",
    "{{ " + "9" * 9_000 + " }}",
    "{{ " + "not " * 4_000 + "1 }}",
    "x" * (MAX_TEMPLATE_CHARACTERS + 1),
]


@pytest.mark.parametrize("harmful", HARMFUL, ids=[one[:30] for one in HARMFUL])
def test_what_could_do_harm_is_refused(harmful: str) -> None:
    for check, source in ((check_system, harmful), (check_user, f"{{{{ transcript }}}}{harmful}")):
        with pytest.raises(InvalidTemplate):
            check(source)


@pytest.mark.parametrize(
    "source",
    [
        "no transcript at all",
        "{{ transcript }}{{ transcript }}",
        "{{ transcript | upper }}",
        "{{ transcript | default('x') }}",
        "{% if message_count %}{{ transcript }}{% endif %}",
        "{% for a in [1, 2] %}{{ transcript }}{% endfor %}",
        "{{ transcript if message_count else '' }}",
        "{% if transcript == 'x' %}{% endif %}{{ transcript }}",
    ],
)
def test_the_transcript_stands_in_a_prompt_once_whole_and_always(source: str) -> None:
    with pytest.raises(InvalidTemplate, match="exactly once"):
        check_user(source)


def test_what_was_said_never_stands_among_the_operators_rules() -> None:
    with pytest.raises(InvalidTemplate, match="no transcript in it"):
        check_system("{{ transcript }}")


def test_a_value_that_does_not_fit_is_named_an_invalid_template() -> None:
    check_system("{{ 1 if message_count < 'a' else 2 }}")
    with pytest.raises(InvalidTemplate):
        fill("{{ 1 if message_count < 'a' else 2 }}", VALUES)


def test_the_longest_loop_ends_soon() -> None:
    words = ", ".join(["1"] * 100)
    source = f"{{% for a in [{words}] %}}{'x' * 19_000}{{% endfor %}}{{{{ transcript }}}}"
    check_user(source)
    began = time.monotonic()
    assert len(fill(source, VALUES)) < 2_000_000
    assert time.monotonic() - began < 5


PIECES = st.sampled_from(
    [
        *("{{", "}}", "{%", "%}", "{#", "#}", "for", "in", "if", "else", "endfor", "endif", "a"),
        *("transcript", "message_count", "[1, 2]", "|upper", "|trim", "'x'", "(", ")", "not", " "),
        *("\n", "==", "and", "9" * 60, "\\", "é語", "-%}", "raw", "endraw", "elif", "~", ".", ","),
    ]
)


@given(source=st.lists(PIECES, max_size=25).map(" ".join))
def test_any_text_is_filled_or_refused(source: str) -> None:
    try:
        check_user(source)
        filled = fill(source, VALUES)
    except InvalidTemplate:
        return
    assert filled.count("<the transcript>") == 1
