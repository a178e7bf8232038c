"""The file of keys that tokens are signed with: read again when it changes, kept when broken."""

import asyncio
from pathlib import Path
from typing import Final

import structlog

from parley.errors import UserError
from services.gateway import metrics
from services.gateway.access.key_sets import MAX_FILE_BYTES, BadKeySet, KeySet, parse_key_set

log = structlog.get_logger(__name__)

RECHECK_S: Final = 2.0

# What shows that a file is not the one that was read: its times (nanoseconds), size and inode.
_Stamp = tuple[int, int, int, int]


class KeyFile:
    """The keys of a file, as it last was in order."""

    def __init__(self, path: Path) -> None:
        """Read it; raises UserError where that cannot be done."""
        self._path = path
        try:
            self._stamp: _Stamp | None = self._look()
            self.keys: KeySet = parse_key_set(self._read())
        except (OSError, BadKeySet) as error:
            raise UserError(
                f"PARLEY_GATEWAY_JWKS_FILE cannot be used: {_reason(error)}.",
                "It must be a JSON Web Key Set: the public keys of whoever signs the tokens.",
            ) from error
        metrics.JWKS_KEYS.set(len(self.keys))

    async def run(self, stop: asyncio.Event) -> None:
        """Look every 2 s whether it has changed, until `stop`."""
        while not stop.is_set():
            await self.refresh()
            try:
                await asyncio.wait_for(stop.wait(), RECHECK_S)
            except TimeoutError:
                continue

    async def refresh(self) -> None:
        """Take the file's keys if it has changed; a broken one is told once, and changes nothing.

        The rest of the process goes on in the meantime.
        """
        try:
            found = await asyncio.to_thread(self._reread)
        except (OSError, BadKeySet) as error:
            metrics.JWKS_RELOADS.labels("broken").inc()
            log.error("jwks_broken", reason=_reason(error), keys_kept=len(self.keys))  # noqa: TRY400
            return
        if found is not None:
            self.keys = found
            metrics.JWKS_KEYS.set(len(found))
            metrics.JWKS_RELOADS.labels("taken").inc()
            log.info("jwks_taken", keys=len(found))

    def _reread(self) -> KeySet | None:
        """The keys of a changed file; None while it is the one that was tried last."""
        stamp, before = self._look_again(), self._stamp
        # Set first: a broken file is not worth a second try, nor a second line in the log.
        self._stamp = stamp
        if stamp == before:
            return None
        return parse_key_set(self._read())

    def _look_again(self) -> _Stamp | None:
        try:
            return self._look()
        except OSError:
            # Reading it tells why, the first time.
            return None

    def _look(self) -> _Stamp:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)


def _reason(error: OSError | BadKeySet) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
