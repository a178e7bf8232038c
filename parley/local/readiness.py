"""Asks a service over HTTP whether it can do its job now."""

import asyncio
import urllib.request
from http import HTTPStatus

_POLL_SECONDS = 0.1
_ANSWER_SECONDS = 2.0
# The services are on the loopback: a proxy from the environment must not be asked.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_ready(url: str) -> bool:
    """Return whether `<url>/readyz` answers with status 200."""
    try:
        with _opener.open(f"{url}/readyz", timeout=_ANSWER_SECONDS) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


async def wait_ready(url: str) -> None:
    """Return once the service is ready."""
    while not await asyncio.to_thread(is_ready, url):  # noqa: ASYNC110 - another process
        await asyncio.sleep(_POLL_SECONDS)
