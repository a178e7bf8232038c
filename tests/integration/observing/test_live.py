"""What a real run exports is well-formed, and a real Prometheus finds all of it in the panels."""

import asyncio
import json
import math
import subprocess
import time
from urllib.request import urlopen

import pytest

from deploy.grafana.boards import BOARDS
from deploy.grafana.build import path_of
from parley.local.services import SERVICES
from parley.settings import Settings
from tests.support.product import Product, parley
from tests.support.prometheus import Prometheus, needs_prometheus, needs_promtool
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, needs_promtool, needs_prometheus]

# Segments close within seconds, so that a short run has everything.
POLICIES = json.dumps({"demo": {"idle_gap": "PT1S", "grace": "PT1S"}})
RATE_INTERVAL = "4s"


async def test_a_real_run_exports_what_promtool_accepts_and_fills_every_panel(
    empty_settings: Settings,
) -> None:
    with Product(empty_settings, PARLEY_CHANNEL_POLICIES=POLICIES) as product:
        urls = {name: product.url(name) for name in SERVICES}
        with Prometheus(empty_settings.state_dir / "prometheus", urls) as prometheus:
            await eventually(lambda: _ready(prometheus))
            began_at = time.time()
            await _talk(empty_settings, urls["gateway"])
            verdicts = 'sum(parley_analyzer_jobs_ended_total{end="verdict"})'
            await eventually(lambda: _above_0(prometheus, verdicts), timeout=40)
            # Two looks more, for rates.
            await asyncio.sleep(3)
            assert prometheus.value("sum(up)") == len(SERVICES)
            for name, url in urls.items():
                assert complaints_about(metrics_of(url)) == "", name
            assert empty_panels(prometheus, began_at) == []
            assert prometheus.value("parley:durable_success:ratio_rate5m") == 1
            assert prometheus.value("sum(abs(parley_persister_ledger_residue))") == 0
            firing = 'count(ALERTS{alertstate="firing"}) or vector(0)'
            assert prometheus.value(firing) == 0


def metrics_of(url: str) -> bytes:
    """What a service exports now."""
    with urlopen(f"{url}/metrics", timeout=5) as answer:  # noqa: S310 - a loopback URL of our own
        text: bytes = answer.read()
    return text


def complaints_about(metrics: bytes) -> str:
    """What promtool finds wrong with what Parley exports itself."""
    said = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics,
        capture_output=True,
        timeout=20,
        check=False,
    )
    lines = (said.stdout + said.stderr).decode().splitlines()
    return "\n".join(line for line in lines if line.startswith("parley_"))


def empty_panels(prometheus: Prometheus, began_at: float) -> list[str]:
    """The panels that have no number in all of the run, without those that may be empty."""
    now = time.time()
    return [
        f"{board.uid}: {panel.title}: {target['expr']}"
        for board in BOARDS
        for panel, shown in zip(
            board.panels, json.loads(path_of(board).read_text())["panels"], strict=True
        )
        for target in shown["targets"]
        if not panel.rare and not _has_data(prometheus, target["expr"], began_at, now)
    ]


def _has_data(prometheus: Prometheus, expr: str, start: float, end: float) -> bool:
    query = expr.replace("$__rate_interval", RATE_INTERVAL)
    values = [
        float(value)
        for series in prometheus.series(query, start, end)
        for _, value in series["values"]
    ]
    return any(math.isfinite(value) for value in values)


async def _talk(settings: Settings, gateway: str) -> None:
    words = "simulate --conversations 20 --rate 40 --seconds 8 --late 0.1 --duplicates 0.1"
    said = await asyncio.to_thread(parley, settings, *words.split(), "--gateway", gateway)
    assert said.status == 0, said.errors


async def _ready(prometheus: Prometheus) -> bool:
    return await asyncio.to_thread(lambda: prometheus.is_ready)


async def _above_0(prometheus: Prometheus, query: str) -> bool:
    return (await asyncio.to_thread(prometheus.value, query) or 0) > 0
