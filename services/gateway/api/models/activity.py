"""The live view: what is said now, by channel."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from parley.activity.figures import Activity, ActivityState, Counts, GroupFigures


def _window(seconds: int, messages: int) -> dict[str, Any]:
    """An example."""
    return {
        "window_seconds": seconds,
        "messages": messages,
        "conversations": 3,
        "user_words": 6 * messages,
        "assistant_words": 9 * messages,
        "audio_messages": messages,
    }


class WindowOut(BaseModel):
    """What happened within the last so many seconds."""

    window_seconds: int = Field(examples=[60])
    messages: int
    conversations: int = Field(description="Distinct ones with a message in the window.")
    user_words: int = Field(description="Words that users said, as white space separates them.")
    assistant_words: int
    audio_messages: int = Field(description="Messages that came with an `audio_url`.")

    @classmethod
    def of(cls, window: timedelta, counts: Counts) -> "WindowOut":
        """The counts of a window."""
        return cls(
            window_seconds=int(window.total_seconds()),
            messages=counts.messages,
            conversations=counts.conversations,
            user_words=counts.user_words,
            assistant_words=counts.assistant_words,
            audio_messages=counts.audio_messages,
        )


class ChannelOut(BaseModel):
    """One channel of the tenant."""

    channel: str
    windows: list[WindowOut]


class ActivityOut(BaseModel):
    """What is said now; null, and not zero, where nobody counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "state": "counted",
                    "measured_at": "2026-01-31T12:00:00Z",
                    "age_seconds": 1.4,
                    "reasons": [],
                    "total": [_window(60, 12), _window(300, 71), _window(900, 180)],
                    "channels": [
                        {
                            "channel": "phone",
                            "windows": [_window(60, 12), _window(300, 71), _window(900, 180)],
                        }
                    ],
                },
                {
                    "state": "no_worker",
                    "measured_at": None,
                    "age_seconds": None,
                    "reasons": ["no activity worker has measured for 15 seconds"],
                    "total": None,
                    "channels": None,
                },
            ]
        }
    )

    state: ActivityState = Field(
        description="`counted`; `incomplete`: too low, and `reasons` say why; `no_worker`."
    )
    measured_at: datetime | None
    age_seconds: float | None = Field(description="How old the oldest of the figures is.")
    reasons: list[str]
    total: list[WindowOut] | None = Field(
        description="All channels; a conversation that talks in two of them counts twice."
    )
    channels: list[ChannelOut] | None = Field(description="Those with talk, by name.")

    @classmethod
    def of(cls, activity: Activity) -> "ActivityOut":
        """What a tenant's figures say."""
        is_measured = activity.state is not ActivityState.NO_WORKER
        return cls(
            state=activity.state,
            measured_at=activity.measured_at,
            age_seconds=None if activity.age is None else activity.age.total_seconds(),
            reasons=list(activity.reasons),
            total=_windows(activity.total()) if is_measured else None,
            channels=_channels(activity) if is_measured else None,
        )


def _channels(activity: Activity) -> list[ChannelOut]:
    return [
        ChannelOut(channel=group.channel, windows=_windows(figures))
        for group, figures in activity.groups.items()
    ]


def _windows(figures: GroupFigures) -> list[WindowOut]:
    return [WindowOut.of(window, counts) for window, counts in figures.items()]
