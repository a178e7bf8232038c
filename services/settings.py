"""The settings of all services together, for `parley settings` and the page of them.

`python -m services.settings` prints those in force as JSON, by service.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

import orjson

from parley.cli.output import say_error
from parley.errors import UserError
from parley.settings import Settings
from parley.shown_settings import shown
from services.analyzer.settings import AnalyzerSettings
from services.gateway.settings import GatewaySettings
from services.persister.settings import PersisterSettings
from services.sealer.activity.settings import ActivitySettings
from services.sealer.settings import SealerSettings

EVERY: Final = "every service"
ALL: Final[Mapping[str, type[Settings]]] = MappingProxyType(
    {
        EVERY: Settings,
        "gateway": GatewaySettings,
        "persister": PersisterSettings,
        "sealer": SealerSettings,
        "analyzer": AnalyzerSettings,
        "activity": ActivitySettings,
    }
)


def main() -> None:
    """Print them; exits 1 where a service would not start with them."""
    try:
        found = {name: _shown(name, settings) for name, settings in ALL.items()}
    except UserError as error:
        say_error(error)
        sys.exit(1)
    sys.stdout.buffer.write(orjson.dumps(found))


def _shown(name: str, settings: type[Settings]) -> list[dict[str, str]]:
    return [asdict(one) for one in shown(settings, settings.load(), without_of(name))]


def without_of(name: str) -> type[Settings] | None:
    """Whose settings are not repeated: what every service has is shown once."""
    return None if name == EVERY else Settings


if __name__ == "__main__":
    main()
