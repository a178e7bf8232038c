"""Writes the dashboards into deploy/grafana/dashboards: `python -m deploy.grafana.build`."""

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import Board, build

FOLDER: Final = Path(__file__).parent / "dashboards"


def path_of(board: Board) -> Path:
    """Where a board is written."""
    return FOLDER / f"{board.uid}.json"


def text_of(board: Board) -> str:
    """A board as Grafana reads it."""
    whole = json.loads(JSONEncoder(sort_keys=True, indent=2).encode(build(board).build()))
    return json.dumps(whole, sort_keys=True, indent=2) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in BOARDS:
        path_of(one).write_text(text_of(one))
