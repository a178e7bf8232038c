"""What a real run exports is well-formed, and a real Prometheus finds all of it in the panels."""

import asyncio
import json
import math
import subprocess
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from deploy.grafana.boards import BOARDS
from deploy.grafana.build import path_of
from parley.local.services import SERVICES
from parley.settings import Settings
from tests.support.acts import Answers, Refuses
from tests.support.plots import draw
from tests.support.product import Product, parley
from tests.support.prometheus import Prometheus, needs_prometheus, needs_promtool
from tests.support.provider import running_provider
from tests.support.receiver import NETWORKS, receiving
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, needs_promtool, needs_prometheus]

# Segments close within seconds, so that a short run has everything.
POLICIES = json.dumps({"demo": {"idle_gap": "PT1S", "grace": "PT1S"}})
RATE_INTERVAL = "4s"


# A model that is soon left alone, and soon asked again; receivers of webhooks on this machine.
OWN = {
    "PARLEY_CHANNEL_POLICIES": POLICIES,
    "OPENAI_API_KEY": "anything",
    "PARLEY_ANALYZER_CIRCUIT_FAILURES": "2",
    "PARLEY_ANALYZER_CIRCUIT_REST": "PT2S",
    "PARLEY_ANALYZER_CALL_REST": "PT0.2S",
    "PARLEY_WEBHOOK_KEY": "a key for tests that is long enough",
    "PARLEY_ANALYZER_WEBHOOK_NETWORKS": NETWORKS,
}


async def test_a_real_run_exports_what_promtool_accepts_and_fills_every_panel(
    empty_settings: Settings, pytestconfig: pytest.Config
) -> None:
    plots: Path | None = pytestconfig.getoption("--plots")
    async with running_provider() as provider, receiving() as receiver:
        provider.otherwise = Refuses(503)
        own = {**OWN, "OPENAI_BASE_URL": provider.base_url}
        with Product(empty_settings, **own) as product:
            await _say(empty_settings, f"webhooks add {receiver.url} --name live", own)
            await _say(empty_settings, "passes subscribe summary", own)
            urls = {name: product.url(name) for name in SERVICES}
            with Prometheus(empty_settings.state_dir / "prometheus", urls) as prometheus:
                await eventually(lambda: _ready(prometheus))
                began_at = time.time()
                talk = "simulate --conversations 10 --rate 40 --seconds 4 --late 0.1"
                await _say(
                    empty_settings, f"{talk} --duplicates 0.1 --gateway {urls['gateway']}", own
                )
                await _until_above_0(prometheus, OPEN)
                provider.otherwise = Answers()
                for what in HAPPENED:
                    await _until_above_0(prometheus, what)
                await _say(empty_settings, "backfill sentiment", own)
                await _until_above_0(prometheus, BACKFILLED)
                # Two looks more, for rates.
                await asyncio.sleep(3)
                _assert_all_is_seen(prometheus, urls, began_at)
                if plots is not None:
                    _draw(prometheus, began_at, plots)


OPEN = "max(max_over_time(parley_analyzer_circuit_open[1m])) == 1"
# The model answers again, and a webhook was told.
HAPPENED = (
    'sum(parley_analyzer_jobs_ended_total{end="verdict",pass_name="summary"})',
    'sum(parley_webhook_attempts_total{outcome="success"})',
)
BACKFILLED = "sum(parley_backfill_seals_read_total)"


def _assert_all_is_seen(prometheus: Prometheus, urls: dict[str, str], began_at: float) -> None:
    assert prometheus.value("sum(up)") == len(SERVICES)
    for name, url in urls.items():
        assert complaints_about(metrics_of(url)) == "", name
    assert empty_panels(prometheus, began_at) == []
    assert prometheus.value("parley:durable_success:ratio_rate5m") == 1
    assert prometheus.value("sum(abs(parley_persister_ledger_residue))") == 0
    firing = 'count(ALERTS{alertstate="firing"}) or vector(0)'
    assert prometheus.value(firing) == 0


def _draw(prometheus: Prometheus, began_at: float, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        draw(board, prometheus, RATE_INTERVAL, (began_at, time.time()), folder)


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


async def _say(settings: Settings, words: str, own: dict[str, str]) -> None:
    said = await asyncio.to_thread(lambda: parley(settings, *words.split(), timeout=120, **own))
    assert said.status == 0, said.errors


async def _ready(prometheus: Prometheus) -> bool:
    return await asyncio.to_thread(lambda: prometheus.is_ready)


async def _until_above_0(prometheus: Prometheus, query: str) -> None:
    async def is_above_0() -> bool:
        return (await asyncio.to_thread(prometheus.value, query) or 0) > 0

    try:
        await eventually(is_above_0, every=0.25)
    except AssertionError as error:
        raise AssertionError(f"never above 0: {query}") from error
