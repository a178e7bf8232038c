"""The dashboards are what the code builds, and each panel can be read by who did not write it."""

import json
import re
from typing import Any

import pytest

from deploy.grafana.boards import BOARDS
from deploy.grafana.build import FOLDER, path_of, text_of
from deploy.grafana.panels import TAG, Board, Panel, Unit
from deploy.observing.inventory import exported, series_names
from deploy.observing.promql import exported_in, recorded_in
from tests.unit.observing.test_rules import rules

COUNTERS = {one.name for one in exported() if one.kind == "counter"}
HISTOGRAMS = {one.name for one in exported() if one.kind == "histogram"}
boards = pytest.mark.parametrize("board", BOARDS, ids=lambda one: one.uid)


def panels(board: Board) -> list[dict[str, Any]]:
    """The panels as Grafana reads them."""
    found: list[dict[str, Any]] = json.loads(path_of(board).read_text())["panels"]
    return found


def queries(board: Board) -> list[str]:
    return [target["expr"] for panel in panels(board) for target in panel["targets"]]


def test_there_is_a_dashboard_for_each_service_and_none_that_nobody_builds() -> None:
    subjects = ("overview", "gateway", "persister", "sealer", "analyzer", "kafka-lag")
    assert {board.uid for board in BOARDS} == {f"parley-{one}" for one in subjects}
    assert {one.name for one in FOLDER.iterdir()} == {path_of(board).name for board in BOARDS}


@boards
def test_the_json_is_what_the_code_builds(board: Board) -> None:
    assert path_of(board).read_text() == text_of(board), "run `make dashboards`"


@boards
def test_the_datasource_is_a_variable_everywhere(board: Board) -> None:
    whole = json.loads(path_of(board).read_text())
    assert [(one["name"], one["type"]) for one in whole["templating"]["list"]] == [
        ("datasource", "datasource")
    ]
    asking = [one for panel in whole["panels"] for one in (panel, *panel["targets"])]
    assert {one["datasource"]["uid"] for one in asking} == {"${datasource}"}


@boards
def test_the_board_is_named_and_linked_with_the_others(board: Board) -> None:
    whole = json.loads(path_of(board).read_text())
    assert (whole["uid"], whole["title"], whole["tags"]) == (board.uid, board.title, [TAG])
    assert whole["description"].endswith((".", "?"))
    assert whole["links"][0]["tags"] == [TAG]
    # An id would be another one in each Grafana.
    assert "id" not in whole


@boards
def test_every_panel_has_a_title_a_description_a_unit_and_named_series(board: Board) -> None:
    units = {unit.value for unit in Unit}
    for panel in panels(board):
        assert panel["title"][0].isupper(), panel["title"]
        assert len(panel["description"]) > 10, panel["title"]
        assert panel["description"][-1] == ".", panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in units
        assert all(target["legendFormat"] for target in panel["targets"])
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0
    titles = [panel["title"] for panel in panels(board)]
    assert len(set(titles)) == len(titles)


@boards
def test_no_two_panels_lie_over_each_other_or_beyond_the_edge(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(board):
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in panels(board)]
    assert len(set(ids)) == len(ids)


@boards
def test_rates_are_taken_over_the_interval_that_grafana_gives(board: Board) -> None:
    for query in queries(board):
        # A day is a day, whatever is zoomed to.
        assert set(re.findall(r"\[([^\]]*)\]", query)) <= {"$__rate_interval", "24h"}, query
        for name in exported_in(query):
            is_counted = name in COUNTERS or name.removesuffix("_bucket") in HISTOGRAMS
            if is_counted:
                taken = re.search(rf"(?:rate|increase)\({name}(?:\{{[^}}]*\}})?\[", query)
                assert taken, f"{name} only grows: {query}"


@boards
def test_every_series_that_a_panel_asks_for_is_exported_or_recorded(board: Board) -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for query in queries(board):
        assert exported_in(query) <= series_names(), query
        assert recorded_in(query) <= recorded, query


@boards
def test_labels_that_are_asked_for_are_those_of_the_metric(board: Board) -> None:
    labels = {one.name: {*one.labels, "instance", "service", "job", "le"} for one in exported()}
    for query in queries(board):
        for name, matchers in re.findall(r"(parley_[a-z0-9_]+)\{([^}]*)\}", query):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            asked = set(re.findall(r"(\w+)\s*(?:=|!)", matchers))
            assert asked <= labels.get(name, labels.get(base, set())), query


def test_what_is_rarely_filled_has_a_reason_and_is_rare() -> None:
    shown: list[Panel] = [panel for board in BOARDS for panel in board.panels]
    rare = [panel for panel in shown if panel.rare]
    assert len(rare) < len(shown) / 20
