"""Prometheus' own programs, which are not Python's to install."""

import shutil

import pytest

WHERE = "Debian's package `prometheus` has it"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason=f"promtool is not on this machine; {WHERE}"
)
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason=f"prometheus is not on this machine; {WHERE}"
)
