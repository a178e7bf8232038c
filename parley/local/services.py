"""Says which services run locally, on which ports, and with which environment."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from parley.errors import UserError
from parley.local import environment, ports
from parley.local.service_process import ServiceSpec
from parley.local.stack import Endpoints
from parley.local.state import StateFile

SERVICES: Final = ("gateway", "persister", "sealer", "analyzer", "activity")
# A process of its own beside the durable one, in its folder.
_MODULES: Final = {"activity": "services.sealer.activity.main"}
GATEWAY: Final = "gateway"
GATEWAY_PORT: Final = 8080
# Short gaps, so that somebody who tries it sees a first seal within a minute.
DEMO_POLICIES: Final = json.dumps({"demo": {"idle_gap": "PT8S", "grace": "PT2S"}})
_MOST_REPLICAS: Final = 32


def parse_replicas(entries: Iterable[str]) -> dict[str, int]:
    """Return how many of each service run, from `NAME=N` entries. Raises UserError."""
    replicas = dict.fromkeys(SERVICES, 1)
    for entry in entries:
        name, _, count = entry.partition("=")
        if name not in SERVICES or not count.isdecimal() or not 1 <= int(count) <= _MOST_REPLICAS:
            raise UserError(
                f"--replicas {entry} is not understood.",
                f"Write NAME=N, with one of {', '.join(SERVICES)} and 1 to {_MOST_REPLICAS}.",
            )
        replicas[name] = int(count)
    return replicas


def process_names(replicas: Mapping[str, int]) -> list[str]:
    """Return a name per process: `persister`, `persister-2`, …"""
    return [
        name if number == 1 else f"{name}-{number}"
        for name, count in replicas.items()
        for number in range(1, count + 1)
    ]


def choose_ports(names: Iterable[str], state: StateFile) -> dict[str, int]:
    """Return a free loopback port per process, the last one's again where it is still free.

    The gateway's is PARLEY_HTTP_PORT where the user set it: taken, it raises UserError.
    """
    last = state.read().get("service_ports", {})
    demanded = _demanded_port()
    preferred = {name: last.get(name) for name in names}
    preferred[GATEWAY] = demanded or last.get(GATEWAY) or GATEWAY_PORT
    chosen = dict(zip(preferred, ports.choose(preferred.values()), strict=True))
    if demanded is not None and chosen[GATEWAY] != demanded:
        raise UserError(
            f"Port {demanded} (PARLEY_HTTP_PORT) is taken by {ports.describe_listener(demanded)}.",
            "Stop that program, or set PARLEY_HTTP_PORT to another port, or unset it.",
        )
    state.update(service_ports={**last, **chosen})
    return chosen


def _demanded_port() -> int | None:
    value = environment.read("PARLEY_HTTP_PORT")
    if value is None:
        return None
    if not value.isdecimal() or not 1 <= int(value) <= 65535:  # noqa: PLR2004 - the last port
        raise UserError(f"PARLEY_HTTP_PORT is {value}.", "Set it to a port from 1 to 65535.")
    return int(value)


def channel_policies() -> str:
    """Return the gap policies by channel, as JSON: the user's, or those to try it with."""
    return environment.read("PARLEY_CHANNEL_POLICIES") or DEMO_POLICIES


def environment_of(endpoints: Endpoints, port: int) -> dict[str, str]:
    """Return the environment of a service, or of a command that talks to the one on the port."""
    names = environment.read("PARLEY_TOPIC_NAMES") or endpoints.topic_names
    return environment.for_child(
        {
            **({"PARLEY_TOPIC_NAMES": names} if names else {}),
            "PARLEY_KAFKA_BOOTSTRAP": endpoints.kafka_bootstrap,
            "DATABASE_URL": endpoints.database_url,
            "PARLEY_HTTP_PORT": str(port),
            "PARLEY_CHANNEL_POLICIES": channel_policies(),
            "PARLEY_LOG_FORMAT": environment.read("PARLEY_LOG_FORMAT") or "text",
        }
    )


def module_of(service: str) -> str:
    """Return the module that is the service's process."""
    return _MODULES.get(service, f"services.{service}.main")


def specs(endpoints: Endpoints, service_ports: Mapping[str, int]) -> list[ServiceSpec]:
    """Return what the supervisor runs, one per process name."""
    return [
        ServiceSpec(
            name,
            tuple(environment.python_module(module_of(name.partition("-")[0]))),
            environment_of(endpoints, port) | _extras(name),
            f"http://{ports.LOOPBACK}:{port}",
        )
        for name, port in service_ports.items()
    ]


def _extras(name: str) -> dict[str, str]:
    """What one service alone is told, as the others refuse settings that are not theirs."""
    if name.partition("-")[0] != GATEWAY:
        return {}
    return {"PARLEY_TEST_ENDPOINTS": environment.read("PARLEY_TEST_ENDPOINTS") or "1"}
