"""A command to seal waits for each of its steps, and says which one did not come."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from parley.cli.sealing.following import Command, SealWait
from parley.cli.sealing.listing import SQL
from parley.codec import encode_seal
from parley.errors import UserError
from parley.settings import Settings
from tests.unit.codec.test_seals_and_analyses import SEALED, SETTLED

COMMAND = Command(1, 40)


@dataclass
class Tables:
    """Answers one question after the other, the last of each for ever; remembers who asked what."""

    fences: list[int]
    published: list[bool]
    stored: list[int]
    stopped_reason: str | None = None
    asked: list[str] = field(default_factory=list)

    async def fetchrow(self, query: str, *_: Any) -> dict[str, Any]:
        assert query == SQL["sealer_fence"]
        self.asked.append("fence")
        return {"next_offset": _next(self.fences), "stopped_reason": self.stopped_reason}

    async def fetch(self, query: str, *_: Any) -> list[dict[str, Any]]:
        assert query == SQL["decided"]
        self.asked.append("decided")
        is_published = _next(self.published)
        seals = (encode_seal(SETTLED), encode_seal(SEALED))
        return [{"value": one, "is_published": is_published} for one in seals]

    async def fetchval(self, query: str, *_: Any) -> int:
        assert query == SQL["stored"]
        self.asked.append("stored")
        return int(_next(self.stored))


def _next(answers: list[Any]) -> Any:
    return answers.pop(0) if len(answers) > 1 else answers[0]


async def sealed(tables: Tables) -> Sequence[Any]:
    wait = SealWait(Settings(), tables, timedelta(seconds=0.25))
    return await wait.until_sealed(COMMAND, b"key", 7)


async def test_it_returns_once_the_segment_is_read_published_and_stored() -> None:
    tables = Tables([40, 41], [False, False, True], [0, 1])
    assert await sealed(tables) == [SEALED]
    expected = ["fence"] * 2 + ["decided"] * 3 + ["stored"] * 2
    assert tables.asked == expected


@pytest.mark.parametrize(
    ("tables", "what"),
    [
        (Tables([40], [True], [1]), "the sealer to read up to 1/40"),
        (Tables([41], [False], [1]), "the seal to be published"),
        (Tables([41], [True], [0]), "the persister to store the segment"),
    ],
)
async def test_it_says_which_step_did_not_come(tables: Tables, what: str) -> None:
    with pytest.raises(UserError, match=f"Waited 0.25 s in vain for {what}"):
        await sealed(tables)


async def test_a_partition_that_was_stopped_is_not_waited_for() -> None:
    tables = Tables([40], [True], [1], stopped_reason="the log lost its end")
    with pytest.raises(UserError, match="stopped partition 1: the log lost its end"):
        await sealed(tables)
    assert tables.asked == ["fence"]
