"""Prometheus' own programs, which are not Python's to install."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.support.processes import ROOT, answers, free_port

WHERE = "Debian's package `prometheus` has it"
RULES = ROOT / "deploy" / "prometheus" / "rules" / "*.yml"

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason=f"promtool is not on this machine; {WHERE}"
)
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason=f"prometheus is not on this machine; {WHERE}"
)


class Prometheus:
    """A real one on a free loopback port, with the product's rules; it asks every second."""

    def __init__(self, folder: Path, targets: Mapping[str, str]) -> None:
        """`targets` are the services' URLs by their names."""
        self._folder = folder
        self._targets = targets
        self.url = f"http://127.0.0.1:{free_port()}"

    @property
    def is_ready(self) -> bool:
        """Whether it answers queries."""
        return answers(f"{self.url}/-/ready")

    def series(self, query: str, start: float, end: float, step: float = 1) -> list[Any]:
        """The series of a query over a stretch of time, each with its labels and values."""
        asked = urlencode({"query": query, "start": start, "end": end, "step": step})
        with urlopen(f"{self.url}/api/v1/query_range?{asked}", timeout=10) as answer:  # noqa: S310
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def value(self, query: str) -> float | None:
        """The one number that a query gives now; None where there is none."""
        asked = urlencode({"query": query})
        with urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as answer:  # noqa: S310
            found = json.load(answer)["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self._config()))
        self._log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def _config(self) -> dict[str, Any]:
        return {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {
                    "job_name": "parley",
                    "static_configs": [
                        {
                            "targets": [url.removeprefix("http://")],
                            "labels": {"service": name},
                        }
                        for name, url in self._targets.items()
                    ],
                }
            ],
        }
