"""Reads the variables that the local stack obeys, and builds the environment of its children."""

import os
import shutil
import sys
from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str | None:
    """Return the variable's value, or None where it is unset or empty."""
    return os.environ.get(name) or None


def for_child(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child that runs this checkout's Python modules."""
    paths = [str(SOURCE_ROOT), *filter(None, [read("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        **(extra or {}),
    }


def for_download() -> dict[str, str]:
    """Return the environment of the download: `requests` knows only its own CA variable."""
    bundle = read("REQUESTS_CA_BUNDLE") or read("SSL_CERT_FILE")
    return for_child({"REQUESTS_CA_BUNDLE": bundle} if bundle else None)


def minimal() -> dict[str, str]:
    """Return the environment of Kafka and PostgreSQL.

    Variables such as KAFKA_OPTS, JAVA_TOOL_OPTIONS, PGDATA or PGPORT would change what starts.
    """
    kept = ("PATH", "HOME", "TMPDIR", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ}


def command_name() -> str:
    """Return how to call the `parley` command from here: its name, or its path where it has to."""
    program = Path(sys.executable).with_name("parley")
    if shutil.which("parley") == str(program):
        return "parley"
    return os.path.relpath(program) if program.is_relative_to(Path.cwd()) else str(program)


def python_module(module: str, *arguments: str) -> list[str]:
    """Return the command line that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]
