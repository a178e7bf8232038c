"""Reads a room's queries.sql: `-- name: x` begins a query, comments below it describe it."""

from functools import cache
from importlib.resources import files


@cache
def load(package: str, filename: str = "queries.sql") -> dict[str, str]:
    """The queries of a package by name; raises ValueError for a text before the first name."""
    queries: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in (files(package) / filename).read_text().splitlines():
        if line.startswith("-- name:"):
            current = queries.setdefault(line.removeprefix("-- name:").strip(), [])
        elif current is not None:
            current.append(line)
        elif line.strip() and not line.startswith("--"):
            raise ValueError(f"{package}/{filename}: SQL before the first `-- name:`")
    return {name: "\n".join(lines).strip() for name, lines in queries.items()}
