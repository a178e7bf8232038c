"""Keeps clients' faults, which are answered and counted, out of the server's error log."""

import logging
from typing import Final

# uvicorn tells the first with a traceback, and takes every refused handshake for a bug.
_FAULTS: Final = (
    "Invalid UTF-8 sequence received from client.",
    "ASGI callable returned without completing handshake.",
)


def hide() -> None:
    """From now on uvicorn's log says nothing about them."""
    logging.getLogger("uvicorn.error").addFilter(_is_worth_telling)


def _is_worth_telling(record: logging.LogRecord) -> bool:
    return record.getMessage() not in _FAULTS
