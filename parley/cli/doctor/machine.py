"""Checks the disk of this machine."""

import shutil
from typing import Final

from parley.cli.doctor.findings import Finding, fail, ok, warn
from parley.settings import Settings

LITTLE_BYTES: Final = 5 * 1024**3
TOO_LITTLE_BYTES: Final = 1024**3


async def check_machine(settings: Settings) -> list[Finding]:
    """How much room the disk with the state folder has."""
    folder = settings.state_dir if settings.state_dir.is_dir() else settings.state_dir.parent
    return [check_disk(str(folder), shutil.disk_usage(folder).free)]


def check_disk(folder: str, free_bytes: int) -> Finding:
    """What that much room means."""
    text = f"{free_bytes / 1024**3:.1f} GB free where {folder} is"
    remedy = "Make room: Kafka and PostgreSQL stop when the disk is full."
    if free_bytes < TOO_LITTLE_BYTES:
        return fail("disk", text, remedy)
    if free_bytes < LITTLE_BYTES:
        return warn("disk", text, remedy)
    return ok("disk", text)
