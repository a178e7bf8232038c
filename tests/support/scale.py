"""How much a fault test does: little in `make test`, the full figures in `make faults`."""

import os

IS_FULL = bool(os.environ.get("PARLEY_TEST_FULL"))


def amount(short: int, full: int) -> int:
    """The one or the other."""
    return full if IS_FULL else short
