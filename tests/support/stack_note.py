"""Says at the end of a run where its Kafka and PostgreSQL came from, and why from there."""

from typing import Any, Final

import pytest

_NOTE: Final = pytest.StashKey[str]()
_OUTPUT: Final = "stack"


def tell(config: pytest.Config, note: str) -> None:
    """Note it down in the process that runs the tests."""
    config.stash[_NOTE] = note


class StackNote:
    """Brings the notes of all processes into the summary, each once."""

    def __init__(self) -> None:
        self._notes: set[str] = set()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand the note to the process that reports, which may be this one."""
        note = session.config.stash.get(_NOTE, None)
        # Only where xdist made this process.
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if note is not None:
            self._notes.add(note)
            if output is not None:
                output[_OUTPUT] = note

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what another process noted down; one that died tells nothing."""
        note = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if note is not None:
            self._notes.add(note)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them."""
        for note in sorted(self._notes):
            terminalreporter.write_line(f"Kafka and PostgreSQL were {note}")
