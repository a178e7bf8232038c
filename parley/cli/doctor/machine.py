"""Checks this machine: its disk, and what was compiled on it."""

import shutil
from typing import Final

from parley.cli.doctor.findings import Finding, fail, ok, warn
from parley.codec.usual import IS_COMPILED
from parley.settings import Settings

LITTLE_BYTES: Final = 5 * 1024**3
TOO_LITTLE_BYTES: Final = 1024**3


async def check_machine(settings: Settings) -> list[Finding]:
    """How much room the disk with the state folder has, and how messages are read here."""
    folder = settings.state_dir if settings.state_dir.is_dir() else settings.state_dir.parent
    return [check_disk(str(folder), shutil.disk_usage(folder).free), check_reader(IS_COMPILED)]


def check_disk(folder: str, free_bytes: int) -> Finding:
    """What that much room means."""
    text = f"{free_bytes / 1024**3:.1f} GB free where {folder} is"
    remedy = "Make room: Kafka and PostgreSQL stop when the disk is full."
    if free_bytes < TOO_LITTLE_BYTES:
        return fail("disk", text, remedy)
    if free_bytes < LITTLE_BYTES:
        return warn("disk", text, remedy)
    return ok("disk", text)


def check_reader(is_compiled: bool) -> Finding:
    """Whether this installation has the compiled reader of messages."""
    if is_compiled:
        return ok("codec", "messages are read by the compiled reader")
    return warn(
        "codec",
        "messages are read by Python alone, which takes nine times as long",
        "Install a C compiler and Python's headers (Debian: gcc and python3-dev), and Parley anew: "
        "in its folder `make clean` and `make run`.",
    )
