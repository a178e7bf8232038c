"""Keeps small facts about running processes in JSON files, written atomically."""

import json
import os
import threading
from pathlib import Path
from typing import Any


class StateFile:
    """One JSON object on disk, readable only by its owner (it holds a password).

    `update` replaces the file as a whole, so a reader and a `kill -9` see the old object or
    the new one, never half of one. Threads of one process may update at the same time; between
    processes the caller holds the stack's lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def read(self) -> dict[str, Any]:
        """Return the object; an absent file is an empty one."""
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}

    def update(self, **entries: Any) -> None:
        """Set these keys; a value of None removes its key."""
        with self._lock:
            merged = {**self.read(), **entries}
            self.write({key: value for key, value in merged.items() if value is not None})

    def write(self, content: dict[str, Any]) -> None:
        """Replace the object."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=2)
            file.write("\n")
        temporary.replace(self.path)

    def remove(self) -> None:
        """Delete the file, if it is there."""
        self.path.unlink(missing_ok=True)
