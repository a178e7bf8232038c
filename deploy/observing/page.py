"""Writes docs/metrics.md from the code: `python -m deploy.observing.page`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.observing.inventory import SECTIONS, Section, exported, section_of

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"

_HEAD: Final = """\
# Metrics

Every service answers `GET /metrics` on its HTTP port. This page is generated from the code by
`make metrics`; [observing.md](observing.md) says where to look.

Names follow the rules of Prometheus: base units (seconds, bytes), `_total` for what is counted. No
label holds an id of a tenant, a conversation, a user or a message. A series with labels appears
once it has something to say. Beside these there are `process_*` (processor time, memory, open
files) and `python_*` (garbage collection) of every process. What every analyzer, or every
persister, tells alike is read from what they share: take the maximum, not the sum.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(line for section in SECTIONS for line in _section(section))])


def _section(section: Section) -> Iterator[str]:
    found = [one for one in exported() if section_of(one) == section]
    if not found:
        return
    yield f"## {section.title}\n"
    yield "| metric | type | labels | what it says |"
    yield "|---|---|---|---|"
    for one in found:
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{one.name}` | {one.kind} | {labels} | {one.help} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
