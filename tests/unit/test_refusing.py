"""A run of the tests stops, by name, at a setting that nobody knows."""

import os
import subprocess
import sys

from tests.support.processes import ROOT


def test_an_unknown_setting_stops_the_tests_by_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/unit/test_clock.py"],
        cwd=ROOT,
        env={**os.environ, "PARLEY_IDEL_GAP": "5"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "PARLEY_IDEL_GAP is not a setting of Parley" in done.stderr + done.stdout
