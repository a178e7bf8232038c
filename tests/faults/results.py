"""What rows found, by commit: one line of JSON for every go, added as soon as it is over."""

import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from parley import clock
from tests.faults.row import Findings, Row
from tests.support.processes import ROOT

FOLDER: Final = ROOT / "tests" / "faults" / "results"


def commit() -> str:
    """The commit that runs, with a mark where the code is another; results do not count."""
    changes = _git("status", "--porcelain", "--", ".", f":!{FOLDER.relative_to(ROOT)}")
    return _git("rev-parse", "--short=12", "HEAD") + ("+changes" if changes else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Total:
    """What all goes of a row at one commit came to."""

    done: int
    failed_count: int
    acknowledged: int
    lost: int
    doubled: int
    residue: int
    longest_catch_up_s: float | None
    seconds: float
    last_problem: str


class Results:
    """The lines of one commit."""

    def __init__(self, of_commit: str, folder: Path = FOLDER) -> None:
        self.path = folder / f"{of_commit}.jsonl"

    def add(self, row: Row, first: int, count: int, seconds: float, found: Findings) -> None:
        """Write a go down."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {
            "row": row.name,
            "first": first,
            "count": count,
            "unit": row.unit,
            "at": clock.now().isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "is_right": not found.all_problems,
            **asdict(found),
            "problems": found.all_problems,
        }
        with self.path.open("ab") as file:
            file.write(orjson.dumps(_rounded(line), option=orjson.OPT_APPEND_NEWLINE))

    def done(self, row: Row) -> int:
        """How much of a row came out right; a go that did not is done again."""
        return sum(line["count"] for line in self._lines(row) if line["is_right"])

    def total(self, row: Row) -> Total | None:
        """All goes of a row together; None where there was none."""
        lines = list(self._lines(row))
        if not lines:
            return None
        wrong = [line for line in lines if not line["is_right"]]
        catch_ups = [line["longest_catch_up_s"] for line in lines if line["longest_catch_up_s"]]
        return Total(
            done=sum(line["count"] for line in lines if line["is_right"]),
            failed_count=len(wrong),
            acknowledged=_sum(lines, "acknowledged"),
            lost=_sum(lines, "lost"),
            doubled=_sum(lines, "doubled"),
            residue=_sum(lines, "residue"),
            longest_catch_up_s=max(catch_ups, default=None),
            seconds=sum(line["seconds"] for line in lines),
            last_problem="; ".join(wrong[-1]["problems"]) if wrong else "",
        )

    def _lines(self, row: Row) -> Iterable[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = [orjson.loads(line) for line in self.path.read_bytes().splitlines()]
        return [line for line in lines if line["row"] == row.name]


def _sum(lines: Iterable[dict[str, Any]], name: str) -> int:
    return sum(int(line[name]) for line in lines)


def _rounded(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 1) if isinstance(value, float) else value for name, value in line.items()
    }
