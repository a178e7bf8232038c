"""`parley dead-letters show`: everything that helps to decide about one, without its content."""

import os
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from parley.cli.dead_letters.choosing import Row, conversation_of, standing_of
from parley.cli.dead_letters.new_record import Letter
from parley.cli.dead_letters.stored import objection, outcome, read_letter
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, say, stdout
from parley.cli.records import as_json, kind_of
from parley.cli.running import run
from parley.cli.wording import readable_json
from parley.errors import UserError
from parley.settings import Settings

_ADVICE: Final[Mapping[str, str]] = {
    "id_conflict": "Another record of this id, with other content, was there first and stays. "
    "Discard this one, or redrive it with --value and an id of its own.",
    "refused": "It is valid, and a table refused it all the same: a fault of this release or of "
    "the table. Mend that, then redrive it.",
    "key": "Its key is not its conversation's. Redrive it with --rekey if the event is right.",
}
_OTHERWISE: Final = (
    "It breaks a rule for all records, so no consumer takes it. Redrive it with --value and "
    "mended bytes (--raw gives you these), or discard it."
)
_WIDTH: Final = 100
_KEY_SHOWN: Final = 200


def show(
    letter_id: Annotated[int, typer.Argument(metavar="ID", help="Its id.")],
    *,
    content: Annotated[
        bool, typer.Option("--content", help="Show what was said, not only how long it is.")
    ] = False,
    raw: Annotated[
        Path | None, typer.Option(help="Write the record's bytes into this new file; - is stdout.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show where a record lay, why it could not be used, what it is, and what can be done.

    Try:

        parley dead-letters show 12

        parley dead-letters show 12 --raw record.bin
    """
    facts, letter = run(_read(Settings.load(), letter_id, with_content=content))
    if raw is not None:
        _write(raw, letter.record.value or b"")
        return
    if output is Output.TABLE:
        _print(facts)
    else:
        print_data(output, facts)


async def _read(
    settings: Settings, letter_id: int, *, with_content: bool
) -> tuple[dict[str, Any], Letter]:
    async with connection_pool(settings) as pool:
        row, letter = await read_letter(settings, pool, letter_id)
        facts = {
            **_where(row),
            **_what(letter, with_content=with_content),
            "objection": await objection(pool, letter),
            "advice": _ADVICE.get(row["reason"], _OTHERWISE),
        }
        if row["redriven_at"] is not None:
            facts["redriven"] = {
                **_redriven(row),
                "outcome": await outcome(pool, letter, row),
            }
        if row["discarded_at"] is not None:
            facts["discarded"] = _discarded(row)
        return facts, letter


def _where(row: Row) -> dict[str, Any]:
    tenant_id, conversation_id = conversation_of(row["key"])
    return {
        "id": row["id"],
        "state": standing_of(row).value,
        "reason": row["reason"],
        "detail": row["detail"],
        "service": row["service"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["log_offset"],
        "incarnation": row["incarnation"],
        "appended_at": row["append_time"],
        "dead_lettered_at": row["created_at"],
        "tenant": tenant_id[:_KEY_SHOWN],
        "conversation": conversation_id[:_KEY_SHOWN],
    }


def _what(letter: Letter, *, with_content: bool) -> dict[str, Any]:
    record = letter.record
    value = record.value or b""
    shown = as_json(letter.topic, record, with_content=with_content)
    for name in ("partition", "offset", "appendTime"):
        shown.pop(name)
    is_unreadable = "invalid" in shown
    return {
        "key_bytes": len(record.key or b""),
        "value_bytes": None if record.value is None else len(value),
        "value_sha256": sha256(value).hexdigest(),
        "headers": {name: one.decode(errors="backslashreplace") for name, one in record.headers},
        "kind": kind_of(letter.topic, record),
        "record": None if is_unreadable else next(iter(shown.values())),
        **({"value": b64encode(value).decode()} if with_content and is_unreadable else {}),
    }


def _redriven(row: Row) -> dict[str, Any]:
    return {
        "at": row["redriven_at"],
        "by": row["redriven_by"],
        "partition": row["redriven_partition"],
        "offset": row["redriven_offset"],
        "incarnation": row["redriven_incarnation"],
    }


def _discarded(row: Row) -> dict[str, Any]:
    return {"at": row["discarded_at"], "by": row["discarded_by"], "why": row["discarded_why"]}


def _print(facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        if value in (None, "", {}):
            continue
        text = value
        if isinstance(value, dict):
            text = readable_json({k: _plain(v) for k, v in value.items()}, _WIDTH)
        first, *rest = str(text).splitlines()
        stdout.print(f"[cyan]{name.replace('_', ' '):<17}[/] {escape(first)}")
        for line in rest:
            stdout.print(f"{'':<17} {escape(line)}")


def _plain(value: Any) -> Any:
    return value if isinstance(value, dict | list | str | int | None) else str(value)


def _write(path: Path, value: bytes) -> None:
    if str(path) == "-":
        typer.get_binary_stream("stdout").write(value)
        return
    try:
        # It holds what people said: for the one who asked alone, and in place of nothing.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.", "Name a new file.") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
    say(f"{len(value):,} bytes are in {path}.")
