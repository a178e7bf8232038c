"""Files of passes: what they may say, how it is read, and that every error names its field."""

from dataclasses import replace
from datetime import timedelta

import pytest

from parley.errors import UserError
from parley.passes.comparing import Difference, differences
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate, Target
from parley.passes.parsing import parse_passes, to_yaml
from parley.passes.planning import Wanted
from tests.support.processes import ROOT
from tests.unit.passes.samples import CODE, PROMPT

WHOLE = """
# Comments are for people.
name: refunds
version: 2
kind: prompt
category: insight
description: Whether money was asked back.
enabled: false
model: gpt-4o-mini
parameters: {temperature: 0, max_output_tokens: 300}
priority: 5
target: {tenant_ids: [acme], channels: [phone], min_messages: 4}
sampling: 0.5
timeout: 1m
attempts: 5
daily_budget_usd: 2.50
prompt:
  name: refunds
  version: 1
  system: Judge.
  user: |
    {{ transcript }}
output_schema_version: 2
output_schema:
  type: object
  properties: {asked: {type: boolean}}
"""
LEAST = """
name: turns
version: 1
kind: code
category: statistics
description: Counts.
output_schema: {type: object}
"""
# Each name stands for ten of the one before: the last for 10 ** 9 values.
LISTS = (
    f"a{number}: &a{number} [{', '.join(10 * [f'*a{number - 1}'])}]" for number in range(1, 10)
)
BOMB = f"{{a0: &a0 1, {', '.join(LISTS)}}}"


def one(text: str) -> Wanted:
    (found,) = parse_passes({"a.yaml": text})
    return found


def problem(text: str) -> str:
    with pytest.raises(UserError) as caught:
        parse_passes({"a.yaml": text})
    return caught.value.problem


def test_every_field_is_read() -> None:
    assert one(WHOLE) == Wanted(
        PassDefinition(
            name="refunds",
            version=2,
            kind=PassKind.PROMPT,
            category="insight",
            description="Whether money was asked back.",
            output_schema={"type": "object", "properties": {"asked": {"type": "boolean"}}},
            output_schema_version=2,
            parameters={"temperature": 0, "max_output_tokens": 300},
            prompt=PromptTemplate("refunds", 1, "Judge.", "{{ transcript }}\n"),
            model="gpt-4o-mini",
            priority=5,
            target=Target(("acme",), ("phone",), 4),
            sampling=0.5,
            timeout=timedelta(minutes=1),
            attempts=5,
            daily_budget_micro_usd=2_500_000,
        ),
        is_enabled=False,
    )


def test_what_is_left_out_is_as_in_a_definition_of_which_nothing_is_said() -> None:
    plain = PassDefinition("turns", 1, PassKind.CODE, "statistics", "Counts.", {"type": "object"})
    assert one(LEAST) == Wanted(plain)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("1.5m", timedelta(seconds=90)),
        ("2h", timedelta(hours=2)),
        ("PT30S", timedelta(seconds=30)),
        ("45", timedelta(seconds=45)),
        ("0.5", timedelta(seconds=0.5)),
    ],
)
def test_spans_are_written_as_people_do(text: str, span: timedelta) -> None:
    assert one(f"{LEAST}timeout: {text}").definition.timeout == span


@pytest.mark.parametrize(
    ("text", "micro"), [("0.1", 100_000), ("10", 10_000_000), ("0.000001", 1), ("0", 0)]
)
def test_money_is_written_in_dollars(text: str, micro: int) -> None:
    assert one(f"{LEAST}daily_budget_usd: {text}").definition.daily_budget_micro_usd == micro


def test_a_file_holds_several_passes_as_documents_or_as_a_list() -> None:
    other = LEAST.replace("turns", "other")
    assert len(parse_passes({"a.yaml": f"{LEAST}---{other}", "b.yaml": WHOLE})) == 3
    listed = "\n".join(
        f"- {{name: {name}, version: 1, kind: code, category: c, description: d,"
        " output_schema: {}}"
        for name in ("a", "b")
    )
    assert [one.definition.name for one in parse_passes({"a.yaml": listed})] == ["a", "b"]


SHARED = "prompt: {name: judge, version: 3, system: S, user: '{{ transcript }}'}"
NAMING = WHOLE[: WHOLE.index("prompt:\n")] + "prompt: {name: judge, version: 3}\noutput_schema: {}"


def test_a_pass_may_name_a_prompt_of_another_document_or_one_that_is_known() -> None:
    (found,) = parse_passes({"a.yaml": NAMING, "b.yaml": SHARED})
    known = PromptTemplate("judge", 3, "S", "{{ transcript }}")
    assert found.definition.prompt == known
    assert parse_passes({"a.yaml": NAMING}, [known]) == [found]
    assert "there is no prompt judge version 3" in problem(NAMING)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            LEAST.replace("version: 1", "version: one"),
            "version: should be a valid integer, not 'one'",
        ),
        (
            LEAST.replace("version: 1", "version: 0"),
            "version: should be greater than or equal to 1",
        ),
        (LEAST.replace("version: 1", "version: '1'"), "version: should be a valid integer"),
        (
            LEAST.replace("kind: code", "kind: magic"),
            "kind: should be 'code' or 'prompt'",
        ),
        (LEAST.replace("name: turns", "name: Turn-s"), "name: String should match pattern"),
        (LEAST.replace("description: Counts.", ""), "description: is missing"),
        (f"{LEAST}promt: x", "promt: there is no such field"),
        (f"{LEAST}target: {{min_messages: -1}}", "target.min_messages: should be greater"),
        (f"{LEAST}target: {{tenants: [a]}}", "target.tenants: there is no such field"),
        (f"{LEAST}sampling: 2", "sampling: should be less than or equal to 1"),
        (f"{LEAST}sampling: .nan", "sampling: should be"),
        (f"{LEAST}timeout: soon", "timeout: should be a valid timedelta"),
        (f"{LEAST}timeout: 0s", "timeout: should be greater than"),
        (f"{LEAST}timeout: .inf", "timeout: should be"),
        (f"{LEAST}daily_budget_usd: 0.0000001", "daily_budget_usd: should be US dollars"),
        (f"{LEAST}daily_budget_usd: free", "daily_budget_usd: should be a valid number"),
        (f"{LEAST}enabled: maybe", "enabled: should be a valid boolean"),
        (f"{LEAST}model: small", "neither `prompt` nor `model`"),
        (f"{LEAST}parameters: {{at: 2026-01-01}}", "parameters.at"),
        (f"{LEAST}parameters: {{n: .nan}}", "no record can hold it"),
        (f'{LEAST}parameters: {{a: "\\0"}}', "no record can hold it"),
        (f'{LEAST}parameters: {{a: "\\ud800"}}', "no record can hold it"),
        (LEAST.replace("type: object", "type: objekt"), "output_schema: should be a JSON Schema"),
        (LEAST.replace("{type: object}", "{$ref: 'http://x/y'}"), "output_schema: should be"),
        (WHOLE.replace("{{ transcript }}", "{{ transcript"), "prompt: cannot be used"),
        (WHOLE.replace("{{ transcript }}", "{{ ''.__class__ }}"), "prompt: cannot be used"),
        (WHOLE.replace("system: Judge.", ""), "both `system` and `user`"),
        (WHOLE.replace("model: gpt-4o-mini", ""), "needs `prompt` and `model`"),
        (f"{LEAST}version: 2", "'version' stands here twice (line 8, column 1)"),
        ("name: [", "a.yaml is no YAML: "),
        ("- 1", "a.yaml is no pass"),
        ("", "a.yaml holds no pass"),
        ("[" * 5_000, "a.yaml is no YAML"),
        (f"{LEAST}parameters: {BOMB}", "its aliases stand for too much"),
        ("!!python/object/apply:os.system ['true']", "a.yaml is no YAML"),
    ],
)
def test_an_error_says_file_field_and_what_was_expected(text: str, said: str) -> None:
    found = problem(text)
    assert "a.yaml" in found
    assert said in found


def test_all_faults_of_a_pass_are_told_at_once_and_which_pass_it_is() -> None:
    broken = LEAST.replace("version: 1", "version: 0").replace("kind: code", "kind: x")
    found = problem(f"{LEAST}---{broken}")
    assert found.startswith("a.yaml, pass 2 (turns) is no pass:")
    assert "version" in found
    assert "kind" in found


@pytest.mark.parametrize("definition", [CODE, replace(PROMPT, parameters={"temperature": 0.0})])
@pytest.mark.parametrize("is_enabled", [True, False])
def test_what_is_shown_gives_the_same_pass_again(
    definition: PassDefinition, is_enabled: bool
) -> None:
    written = to_yaml(definition, is_enabled=is_enabled)
    assert one(written) == Wanted(definition, is_enabled)


def test_texts_of_several_lines_are_shown_as_such() -> None:
    assert "user: |\n    {{ transcript }}" in to_yaml(one(WHOLE).definition)


def test_a_comparison_names_the_fields_that_differ_with_their_texts() -> None:
    assert differences(CODE, CODE) == []
    changed = replace(CODE, sampling=0.5, output_schema={"type": "array"}, description="Else.")
    assert differences(CODE, changed) == [
        Difference("description", "Counts turns.", "Else."),
        Difference("sampling", None, "0.5"),
        Difference("output_schema.type", "object", "array"),
    ]


def test_the_documented_file_is_the_pass_that_the_documentation_shows() -> None:
    text = (ROOT / "docs" / "passes.md").read_text()
    _, _, rest = text.partition("```yaml\n")
    definition = one(rest.partition("```")[0]).definition
    assert definition.name == "refunds"
    assert definition.fingerprint in text
