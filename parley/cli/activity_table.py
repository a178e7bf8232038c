"""How `parley top` shows the live view: a table that fits the terminal, or data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, timedelta
from enum import StrEnum
from typing import Any, Final

from rich.cells import cell_len, set_cell_size
from rich.console import Group as Renderables
from rich.console import RenderableType
from rich.text import Text

from parley.activity.figures import (
    WINDOWS,
    Activity,
    ActivityState,
    Counts,
    Group,
    GroupFigures,
)
from parley.cli.wording import counted

# From so many columns on users and assistants are told apart, and audio is shown.
WIDE_COLUMNS: Final = 116
_NUMBER_COLUMNS: Final = 6
# The title, two lines of heads, the total, and what is left out.
_OTHER_LINES: Final = 5
_HEADS: Final = Group("tenant", "channel")
_TOTAL: Final = Group("total", "")
_MANY: Final = 1_000
_FEW: Final = 10


class Sorting(StrEnum):
    """What comes first."""

    MESSAGES = "messages"
    CONVERSATIONS = "conversations"
    SPEECH = "speech"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class View:
    """What is wanted, and how much room there is; no height is all the height there could be."""

    sorting: Sorting
    window: timedelta
    columns: int
    lines: int | None = None


@dataclass(frozen=True, slots=True)
class _Figure:
    """Three columns: a figure in every window."""

    head: str
    of: Callable[[Counts], int]
    is_rate: bool = True


def _words(counts: Counts) -> int:
    return counts.user_words + counts.assistant_words


_MESSAGES: Final = _Figure("msg/min", lambda counts: counts.messages)
_ACTIVE: Final = _Figure("active", lambda counts: counts.conversations, is_rate=False)
_NARROW: Final = (_MESSAGES, _ACTIVE, _Figure("words/min", _words))
_WIDE: Final = (
    _MESSAGES,
    _ACTIVE,
    _Figure("user words/min", lambda counts: counts.user_words),
    _Figure("agent words/min", lambda counts: counts.assistant_words),
    _Figure("audio msg/min", lambda counts: counts.audio_messages),
)


def rendered(activity: Activity, view: View) -> RenderableType:
    """The whole screen; figures only where somebody measures."""
    lines: list[RenderableType] = [_line(_title(activity), "bold")]
    lines += [_line(f"  {reason}", "yellow") for reason in activity.reasons]
    if activity.state is ActivityState.NO_WORKER:
        return Renderables(*lines)
    rows = ordered(activity.groups, view)
    room = (
        len(rows)
        if view.lines is None
        else max(1, view.lines - _OTHER_LINES - len(activity.reasons))
    )
    lines.append(_table(activity, rows[:room], view))
    if len(rows) > room:
        lines.append(_line(f"and {counted(len(rows) - room, 'channel')} more", "dim"))
    return Renderables(*lines)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def ordered(groups: Mapping[Group, GroupFigures], view: View) -> list[tuple[Group, GroupFigures]]:
    """The groups, those with most of what they are sorted by first; then by name."""

    def place(row: tuple[Group, GroupFigures]) -> tuple[int, Group]:
        counts = row[1][view.window]
        values = {
            Sorting.MESSAGES: counts.messages,
            Sorting.CONVERSATIONS: counts.conversations,
            Sorting.SPEECH: _words(counts),
            Sorting.NAME: 0,
        }
        return -values[view.sorting], row[0]

    return sorted(groups.items(), key=place)


def as_data(activity: Activity, view: View) -> dict[str, Any]:
    """All figures for programs; null where nobody measures."""
    is_measured = activity.state is not ActivityState.NO_WORKER
    return {
        "state": activity.state,
        "measured_at": activity.measured_at,
        "age_seconds": None if activity.age is None else activity.age.total_seconds(),
        "reasons": list(activity.reasons),
        "total": _windows(activity.total()) if is_measured else None,
        "channels": [
            {"tenant": group.tenant_id, "channel": group.channel, "windows": _windows(figures)}
            for group, figures in ordered(activity.groups, view)
        ]
        if is_measured
        else None,
    }


def _windows(figures: GroupFigures) -> list[dict[str, int]]:
    return [
        {"window_seconds": int(window.total_seconds()), **asdict(counts)}
        for window, counts in figures.items()
    ]


def _title(activity: Activity) -> str:
    if activity.measured_at is None or activity.age is None:
        return "parley top"
    tenants = len({group.tenant_id for group in activity.groups})
    return (
        f"parley top  {activity.measured_at.astimezone(UTC):%H:%M:%S} UTC, "
        f"{activity.age.total_seconds():.1f} s ago, {counted(tenants, 'tenant')}, "
        f"{counted(len(activity.groups), 'channel')}"
    )


def _table(
    activity: Activity, rows: Sequence[tuple[Group, GroupFigures]], view: View
) -> RenderableType:
    figures = _WIDE if view.columns >= WIDE_COLUMNS else _NARROW
    room = view.columns - len(figures) * len(WINDOWS) * _NUMBER_COLUMNS
    groups = [Group(tenant, channel or "(none)") for (tenant, channel), _ in rows]
    names = _Names.fitting([_HEADS, *groups], room)
    heads = "".join(f"{figure.head:>{len(WINDOWS) * _NUMBER_COLUMNS}}" for figure in figures)
    windows = [f"{_minutes(window):g}m" for window in WINDOWS] * len(figures)
    lines = [
        _line(f"{names.of(Group('', ''))}{heads}", "bold"),
        _line(names.of(_HEADS) + _cells(windows), "bold"),
        _line(names.of(_TOTAL) + _cells(_texts(activity.total(), figures)), "cyan"),
        *(
            _line(names.of(group) + _cells(_texts(own, figures)))
            for group, (_, own) in zip(groups, rows, strict=True)
        ),
    ]
    return Renderables(*lines)


@dataclass(frozen=True, slots=True)
class _Names:
    """The columns on the left; what does not fit is cut, so that a row is a line."""

    tenant_columns: int
    channel_columns: int

    @classmethod
    def fitting(cls, groups: Iterable[Group], columns: int) -> "_Names":
        """Each as wide as its longest name, or half of the room if both are long."""
        tenant, channel = (max(map(cell_len, names)) for names in zip(*groups, strict=True))
        spare = max(0, columns // 2 - 1 - channel)
        tenant = min(tenant, columns // 2 - 1 + spare)
        return cls(tenant, min(channel, columns - tenant - 2))

    def of(self, group: Group) -> str:
        """Both names, as wide as the columns."""
        tenant = _cut(group.tenant_id, self.tenant_columns)
        return f"{tenant}  {_cut(group.channel, self.channel_columns)}"


def _cut(text: str, columns: int) -> str:
    if cell_len(text) > columns:
        return f"{set_cell_size(text, columns - 1)}…"
    return set_cell_size(text, columns)


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"{text:>{_NUMBER_COLUMNS}}" for text in texts)


def _texts(own: GroupFigures, figures: Iterable[_Figure]) -> list[str]:
    return [_text(figure, window, own[window]) for figure in figures for window in WINDOWS]


def _text(figure: _Figure, window: timedelta, counts: Counts) -> str:
    amount = figure.of(counts)
    return compact(amount / _minutes(window) if figure.is_rate else amount)


def compact(amount: float) -> str:
    """At most five characters, two digits at least: 0, 0.4, 12, 950, 1.2k, 34k, 5.6M."""
    for unit in ("", "k", "M", "G"):
        is_short = 0 < amount < _FEW and (unit or amount != int(amount))
        text = f"{amount:.1f}" if is_short else f"{amount:.0f}"
        # What rounds to a thousand is written with the next unit.
        if float(text) < _MANY:
            return f"{text}{unit}"
        amount /= _MANY
    return f"{amount:.0f}T"


def _minutes(window: timedelta) -> float:
    return window / timedelta(minutes=1)
