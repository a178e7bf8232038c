"""Writes docs/openapi.json, the gateway's HTTP interface: `python -m deploy.docs.openapi`."""

import json
from pathlib import Path
from typing import Any, Final

from parley.health import Health
from services.gateway.access import Access
from services.gateway.api.app import build_app
from services.gateway.settings import GatewaySettings

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
# Routes are described without being asked anything, so that nobody has to be there.
_NOBODY: Final[Any] = None


def document() -> dict[str, Any]:
    """What the gateway answers at /openapi.json, without the endpoints for trying things."""
    settings = GatewaySettings(gateway_test_endpoints=False)
    publisher = sessions = connections = store = talk = _NOBODY
    app = build_app(
        settings, publisher, sessions, connections, store, talk, Access(settings), Health("gateway")
    )
    return app.openapi()


def text() -> str:
    """The file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text())
