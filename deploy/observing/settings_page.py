"""Writes docs/configuration.md from the code: `python -m deploy.observing.settings_page`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from parley.shown_settings import MASK, ShownSetting, shown
from services.settings import ALL, without_of

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"

_HEAD: Final = """\
# Configuration

Every service and command reads its settings once, when it starts, from the environment; what is
wrong or unknown stops it with the setting's name (services with exit status 78). Where nothing is
set and a stack of `parley local up` runs in this folder, its addresses are used. `parley settings`
shows what is in force here and from where. This page is generated from the code by
`make configuration`.

`DATABASE_URL`, `LOG_LEVEL`, `OPENAI_API_KEY` and `OPENAI_BASE_URL` have the names that everybody
uses. All others begin with `PARLEY_`, and those of one service with its name behind that, so that
all services can share one environment. A duration is written as `PT90M` or as seconds.
"""


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for name, settings in ALL.items():
        lines += _section(name, list(shown(settings, settings(), without_of(name))))
    return "\n".join(lines)


def _section(name: str, found: list[ShownSetting]) -> Iterator[str]:
    yield f"## {name[0].upper()}{name[1:]}\n"
    yield "| setting | by default | expected | what it is |"
    yield "|---|---|---|---|"
    for one in found:
        default = f"`{one.default}`" if one.default and one.default != MASK else ""
        yield f"| `{one.variable}` | {default} | {one.expected} | {one.description} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page())
