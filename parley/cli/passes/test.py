"""`parley passes test`: one pass over one segment, before it is run over many."""

from typing import Annotated, Any

import typer
from rich.rule import Rule

from parley.cli.output import Output, OutputOption, print_data, say, stdout
from parley.cli.running import run
from parley.cli.verdicts.options import segment_of
from parley.cli.wording import counted, readable_json
from parley.errors import UserError
from parley.settings import Settings
from parley.trials.request import TrialRequest
from parley.trials.trial import try_pass

DEFAULT_TENANT = "default"


def test(
    name: Annotated[
        str, typer.Argument(help="The pass: its name, or NAME@VERSION.", metavar="PASS")
    ],
    *,
    segment: Annotated[str, typer.Option("--segment", "-s", help="The segment, by its id.")],
    revision: Annotated[
        int | None, typer.Option(min=1, help="As it was then; otherwise as it stands now.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose segment it is.")] = DEFAULT_TENANT,
    prompt_only: Annotated[
        bool, typer.Option("--prompt-only", help="Show the prompt, and call no model.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run a pass over one segment, and show the exact prompt, the answer and what it cost.

    Nothing is stored, and it counts for no budget; the call is real, and so is what it costs. The
    messages are those that were sealed, as a worker would load them. A pass need not be in force,
    and one that is shipped need not be applied.

    Exit status 1 where the pass failed, or nothing could be tried.

    Try:

        parley passes test summary --segment 018f… --prompt-only

        parley passes test topics@1 --segment 018f… -o json
    """
    pass_name, version = _pass_of(name)
    settings = Settings.load()
    request = TrialRequest(
        pass_name, segment_of(segment), tenant, version, revision, is_prompt_only=prompt_only
    )
    tried = run(try_pass(settings, request))
    if output is Output.TABLE:
        _print(tried)
    else:
        print_data(output, tried)
    if tried["failure"] is not None:
        raise typer.Exit(1)


def _pass_of(text: str) -> tuple[str, int | None]:
    name, at, version = text.partition("@")
    if at and not version.isdecimal():
        raise UserError(
            f"{text} is not understood.", "Write a name, or a name and a number: topics@2."
        )
    return name, int(version) if at else None


def _print(tried: dict[str, Any]) -> None:
    prompt = tried["prompt"]
    if prompt is not None:
        _section("system", prompt["system"])
        _section("user", prompt["user"])
    if tried["output"] is not None:
        _section("output", readable_json(tried["output"], stdout.width))
    if tried["raw_answer"]:
        _section("answer, which is no output", tried["raw_answer"])
    say(_what(tried))
    for sentence in (_cost(tried), _failure(tried), _standing(tried)):
        if sentence:
            say(sentence)


def _section(title: str, text: str) -> None:
    stdout.print(Rule(title, align="left", style="dim"))
    # What was said is no markup.
    stdout.print(text, markup=False)


def _what(tried: dict[str, Any]) -> str:
    return (
        f"{tried['pass_name']} version {tried['pass_version']} over {tried['segment']} revision "
        f"{tried['revision']}, {counted(tried['messages'], 'message')}; nothing was stored."
    )


def _cost(tried: dict[str, Any]) -> str:
    if tried["kind"] == "code":
        return f"It took {tried['seconds'] * 1_000:.1f} ms."
    if tried["calls"] == 0:
        most = (tried["prompt"] or {}).get("most_usd")
        known = "a price that nobody knows" if most is None else f"${most:.4f} at most"
        return f"{tried['model']} was not called; a call costs {known}."
    cost = "unknown" if tried["cost_usd"] is None else f"${tried['cost_usd']:.6f}"
    return (
        f"{tried['model']}: {counted(tried['calls'], 'call')}, {tried['seconds']:.1f} s, "
        f"{tried['input_tokens']:,} tokens in, {tried['output_tokens']:,} out, cost {cost}."
    )


def _failure(tried: dict[str, Any]) -> str:
    if tried["failure"] is None:
        return ""
    if tried["failure"] == "no_provider":
        return "No model could be asked: set OPENAI_API_KEY, or OPENAI_BASE_URL, or both."
    return f"It failed: {tried['failure']}."


def _standing(tried: dict[str, Any]) -> str:
    return "The segment is no more: it was merged into another." if tried["is_retracted"] else ""
