"""Backfills over HTTP: rows that analyzers act upon, of the caller's tenant alone."""

from typing import Any

import orjson
import pytest

from parley.codec.definitions import encode_definition
from parley.passes.applied import ActiveVersion, AppliedPass, PassActivation
from parley.passes.definition import PassDefinition, PassKind
from parley.passes.stored import versions_json
from tests.integration.gateway.rows import AT
from tests.integration.gateway.test_rest_callers import caller, guarded
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration

__all__ = ["guarded"]

PATH = "/api/v2/backfills"
SENTIMENT = AppliedPass.of(PassDefinition("sentiment", 3, PassKind.CODE, "feeling", "…", {}))


async def apply(pool: Any) -> None:
    """The pass is applied and enabled, as the persister would write it."""
    definition = SENTIMENT.definition
    await pool.execute(
        "INSERT INTO pass_definitions (pass_name, pass_version, fingerprint, kind, category,"
        " description, priority, definition, changed_by, changed_at)"
        " VALUES ($1, $2, $3, 'code', 'feeling', '', 0, $4, 'tester', $5)",
        SENTIMENT.name,
        SENTIMENT.version,
        SENTIMENT.fingerprint,
        encode_definition(definition),
        AT,
    )
    enabled = PassActivation("sentiment", True, (ActiveVersion(3, AT),))
    await pool.execute(
        "INSERT INTO pass_activations (pass_name, is_enabled, pass_version, versions, changed_by,"
        " changed_at) VALUES ('sentiment', true, 3, $1, 'tester', $2)",
        versions_json(enabled),
        AT,
    )


async def test_an_operator_begins_pauses_resumes_and_cancels_and_a_reader_looks(
    pool: Any, guarded: ServiceProcess
) -> None:
    await apply(pool)
    async with (
        caller(guarded, "operator", sub="op") as operator,
        caller(guarded, "reader", sub="auditor") as reader,
        caller(guarded, "operator", sub="op", tenant="other") as foreign,
    ):
        wanted = {"passes": ["sentiment"], "limit": 5, "newest_first": True, "channel": "phone"}
        key = {"Idempotency-Key": "monday"}
        begun = await operator.http.post(PATH, json=wanted, headers=key)
        assert begun.status_code == 201, begun.text
        again = await operator.http.post(PATH, json=wanted, headers=key)
        assert again.json()["id"] == begun.json()["id"]
        one = f"{PATH}/{begun.json()['id']}"
        assert begun.json()["state"] == "running"
        assert [(p["name"], p["version"], p["fingerprint"]) for p in begun.json()["passes"]] == [
            ("sentiment", 3, SENTIMENT.fingerprint)
        ]
        assert [run["id"] for run in (await reader.reads(PATH))["backfills"]] == [
            begun.json()["id"]
        ]
        shown = await reader.reads(one)
        assert (shown["limit"], shown["newest_first"], shown["channel"]) == (5, True, "phone")
        assert shown["suspended_passes"] == []
        await pool.execute(
            "INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)"
            " VALUES ($1, 'sentiment', 3, 'bad_key')",
            SENTIMENT.fingerprint,
        )
        (why,) = (await reader.reads(one))["suspended_passes"]
        assert (why["name"], why["version"], why["reason"]) == ("sentiment", 3, "bad_key")
        assert (await foreign.reads(PATH))["backfills"] == []
        await foreign.is_refused(404, "not_found", one)
        await foreign.is_refused(404, "not_found", f"{one}/pause", "POST")
        for path in (PATH, f"{one}/pause"):
            await reader.is_refused(403, "forbidden", path, "POST", json=wanted)
        for act, state in (
            ("pause", "paused"),
            ("pause", "paused"),
            ("resume", "running"),
            ("cancel", "cancelling"),
            ("cancel", "cancelling"),
        ):
            answer = await operator.http.post(f"{one}/{act}")
            assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
        await operator.is_refused(409, "conflict", f"{one}/resume", "POST")
    rows = await pool.fetch("SELECT * FROM operations.backfill_runs")
    assert [(row["tenant_id"], row["started_by"], row["changed_by"]) for row in rows] == [
        ("acme", "op", "op")
    ]
    assert orjson.loads(rows[0]["passes"])[0]["name"] == "sentiment"


async def test_what_cannot_be_run_is_told_and_leaves_no_row(
    pool: Any, guarded: ServiceProcess
) -> None:
    await apply(pool)
    async with caller(guarded, "operator", sub="op") as operator:
        for wanted in (
            {},
            {"passes": ["sentimant"]},
            {"passes": ["sentiment@9"]},
            {"passes": ["sentiment"], "all": True},
            {
                "passes": ["sentiment"],
                "since": "2026-02-01T00:00:00Z",
                "until": "2026-01-01T00:00Z",
            },
        ):
            await operator.is_refused(422, "invalid_request", PATH, "POST", json=wanted)
        await operator.is_refused(422, "invalid_request", f"{PATH}/chat-7")
    assert await pool.fetchval("SELECT count(*) FROM operations.backfill_runs") == 0
