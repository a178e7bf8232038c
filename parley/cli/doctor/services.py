"""Checks the services that this machine's supervisor runs."""

from parley.cli import facts
from parley.cli.doctor.findings import Finding, fail, ok, warn
from parley.cli.doctor.remedies import for_unhealthy
from parley.cli.facts import ServiceFacts
from parley.cli.wording import counted
from parley.settings import Settings


async def check_services(settings: Settings) -> list[Finding]:
    """Whether each says that it is healthy."""
    found = [check_service(one) for one in await facts.services(settings)]
    return found or [
        warn(
            "services",
            f"none run under {settings.state_dir}",
            "Start them with `parley local up`; where they run elsewhere, this says nothing.",
        )
    ]


def check_service(service: ServiceFacts) -> Finding:
    """What one service says of itself."""
    text = f"{service.name} at {service.url} is {service.status}"
    if service.status == "healthy":
        restarts = f", after {counted(service.restarts, 'restart')}" if service.restarts else ""
        return ok("services", text + restarts)
    detail = f": {service.detail}" if service.detail else ""
    remedy = for_unhealthy(service.detail or "") or f"See `parley local logs {service.name}`."
    return fail("services", text + detail, remedy)
