"""Where an export goes: a file that appears whole or not at all, or the standard output."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from parley import ids
from parley.errors import UserError

STANDARD_OUTPUT: Final = "-"


@contextmanager
def open_target(path: str) -> Iterator[IO[bytes]]:
    """Open it for writing; raises UserError where it cannot be written.

    A file is written under another name beside its own, and renamed when the body has ended well:
    what was there stays until then, and for good where the body fails. A `kill -9` leaves the
    other file, `.NAME.….part`, which nothing uses.
    """
    if path == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    final = Path(path)
    if final.exists() and not final.is_file():
        raise UserError(f"{path} is no file.", "Name a file, or - for the standard output.")
    part = final.with_name(f".{final.name}.{ids.random_id()[:8]}.part")
    try:
        file = part.open("xb")
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.", "Name another file.") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.rename(final)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(
            f"Cannot write {path}: {error.strerror}.", "What was there before is there still."
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
