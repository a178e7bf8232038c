"""What tables and changing lines look like on terminals of any width, and in files."""

import io
from datetime import UTC, datetime

import pytest
import yaml
from rich.console import Console

from parley.cli.changing_line import ChangingLine
from parley.cli.output import Output, print_data, print_item, table_of


def shown(*rows: dict[str, object], width: int = 80) -> str:
    file = io.StringIO()
    columns = ("name", "topic", "pid", "records", "at", "note")
    Console(file=file, width=width).print(table_of(rows, columns))
    return file.getvalue()


def test_amounts_are_grouped_and_process_ids_are_not() -> None:
    text = shown({"name": "sealer", "pid": 29299, "records": 29299})
    assert "29299" in text
    assert "29,299" in text


def test_a_column_without_any_entry_is_left_out() -> None:
    text = shown({"name": "a", "records": 0, "note": None}, {"name": "b", "note": ""})
    assert "records" in text
    assert "note" not in text


def test_times_are_short_and_in_utc() -> None:
    at = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
    assert "2026-01-31 12:00:00 UTC" in shown({"name": "a", "at": at})


def test_nothing_is_cut_short_on_a_narrow_terminal() -> None:
    text = shown({"name": "persister", "topic": "parley.analyses.v1"}, width=24)
    assert "…" not in text
    assert "parley.analyses.v1" in "".join(line[11:].strip() for line in text.splitlines()[2:])


# Begins a sequence in two ways, and fills the clipboard.
STEERING = "call\x1b[2J\x9b31m\x1b]52;c;AAAA\x07"


def test_a_name_that_would_steer_the_terminal_is_shown_and_steers_nothing() -> None:
    text = shown({"name": STEERING, "note": "two\nlines"})
    assert r"call\x1b[2J\x9b31m\x1b]52;c;AAAA\x07" in text
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("output", [Output.JSON, Output.YAML])
def test_data_that_would_steer_the_terminal_is_the_same_data_and_steers_nothing(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    for print_it in (print_data, print_item):
        print_it(output, {"name": STEERING})
        text = capsys.readouterr().out
        assert text.replace("\n", "").isprintable()
        assert yaml.safe_load(text) == {"name": STEERING}


def test_where_nothing_can_be_written_over_whole_lines_are_printed() -> None:
    file = io.StringIO()
    with ChangingLine(Console(file=file)) as line:
        for number in range(3):
            line.show(f"sent {number}")
    assert file.getvalue() == "sent 2\n"


def test_a_line_that_was_never_shown_is_not_printed() -> None:
    file = io.StringIO()
    with ChangingLine(Console(file=file)):
        pass
    assert file.getvalue() == ""
