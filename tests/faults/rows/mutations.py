"""The code broken on purpose: for each mutation a named test must fail, or it proves nothing."""

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.mutations import MUTATIONS
from tests.faults.row import Findings, Row
from tests.faults.stage import Stage
from tests.support.processes import ROOT

COPIED: Final = ("parley", "services", "tests", "proto", "pyproject.toml")
TIMEOUT_S: Final = 240
# pytest's exit status where tests ran and some failed; any other says that they did not run.
SOME_FAILED: Final = 1


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Number n is mutation n: its test passes on a copy of the code, and fails on a broken one."""
    await asyncio.to_thread(stage.stack.up, lambda _: None)
    problems: list[str] = []
    told: dict[str, str] = {}
    for mutation in MUTATIONS[first : first + count]:
        with copy_of_the_code() as root:
            status, output = await pytest_in(root, mutation.test, stage)
            if status != 0:
                problems.append(f"{mutation.test} fails without a mutation: {first_error(output)}")
                continue
            for edit in mutation.edits:
                edit.apply(root)
            status, output = await pytest_in(root, mutation.test, stage)
            if status != SOME_FAILED or " failed" not in output:
                problems.append(f"{mutation.test} does not notice that {mutation.name}")
            told[mutation.name] = f"{mutation.test}: {first_error(output)}"
    return Findings(problems=tuple(problems), more=told)


@contextmanager
def copy_of_the_code() -> Iterator[Path]:
    """A folder with all that tests need, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="parley-mutation-") as folder:
        root = Path(folder)
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, root / name)
        # Downloaded once, for all copies.
        (root / ".parley").symlink_to(ROOT / ".parley")
        yield root


async def pytest_in(root: Path, test: str, stage: Stage) -> tuple[int, str]:
    """Run one test of that copy; returns the exit status and what was printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", f"--timeout={TIMEOUT_S}", test),
        env={**os.environ, "PARLEY_TEST_STATE_DIR": str(stage.stack.state_dir)},
        cwd=root,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def first_error(output: str) -> str:
    """What the first failed assertion said, in one line."""
    errors = re.findall(r"^E +(\S.*)$", output, re.MULTILINE)
    return errors[0][:200] if errors else output[-200:]


ROW = Row(
    "mutations",
    "the code is broken on purpose: each time a named test fails",
    unit="mutations",
    full=len(MUTATIONS),
    short=0,
    at_once=1,
    run=run,
)
