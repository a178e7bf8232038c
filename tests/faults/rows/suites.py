"""Fault tests that are written as tests: each file is a row, run with its full figures."""

import asyncio
import os
import re
import sys
from pathlib import Path

from tests.faults.row import Findings, Row
from tests.faults.stage import Stage
from tests.support.processes import ROOT

FOLDER = Path(__file__).parents[1]
TIMEOUT_S = 1_800


def row_of(file: Path) -> Row:
    """The row of one file; its claim is the file's first sentence."""

    async def run(_: Stage, __: int, count: int) -> Findings:
        passed = 0
        for _number in range(count):
            status, output = await pytest_of(file)
            if status != 0:
                return Findings(problems=(last_line(output),))
            passed += int(found.group(1)) if (found := re.search(r"(\d+) passed", output)) else 0
        return Findings(more={"passed_tests": passed})

    claim = file.read_text().split('"""')[1].split("\n")[0].rstrip(".")
    name = file.stem.removeprefix("test_").replace("_", "-")
    return Row(name, claim, unit="runs", full=1, short=0, at_once=1, run=run)


async def pytest_of(file: Path) -> tuple[int, str]:
    """Run the file with full figures; returns the exit status and what was printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", f"--timeout={TIMEOUT_S}", str(file)),
        env={**os.environ, "PARLEY_TEST_FULL": "1"},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def last_line(output: str) -> str:
    return (output.strip().splitlines() or ["nothing was printed"])[-1]


ROWS = tuple(row_of(file) for file in sorted(FOLDER.glob("test_*.py")) if file.stem != "test_rows")
