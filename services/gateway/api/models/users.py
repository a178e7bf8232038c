"""What users prefer."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.gateway.api.models.base import EVENT_ID, POSITION, Request, Text


class PreferencesIn(Request):
    """What a user prefers, whole: what is left out is empty."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"personality": "brief", "language": "de", "voice": "v-2", "free": {"font": 14}}
            ]
        }
    )

    personality: Text = ""
    language: Text = ""
    voice: Text = ""
    free: dict[str, JsonValue] = Field(default_factory=dict)


class PreferencesOut(BaseModel):
    """What a user prefers; empty with `updated_at` null where nobody has said it."""

    user_id: str
    personality: str = ""
    language: str = ""
    voice: str = ""
    free: dict[str, Any] = Field(default_factory=dict)
    updated_at: datetime | None = None


class PreferencesChangedOut(BaseModel):
    """The preferences are durable."""

    event_id: str = Field(examples=[EVENT_ID])
    position: str = Field(examples=[POSITION])
