"""What all models share: texts that can be stored, and examples of opaque values."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

from services.gateway.api.fields import MAX_ID_CHARS, NO_NUL

# NUL cannot be stored.
Text = Annotated[str, StringConstraints(pattern=NO_NUL)]
Id = Annotated[str, StringConstraints(pattern=NO_NUL, max_length=MAX_ID_CHARS)]

POSITION: Final = "MS5DUVdmMHVnTFRHLTIuMTA0"
EVENT_ID: Final = "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"


class Request(BaseModel):
    """What comes in: a field that nobody knows is a mistake, and said to be one."""

    model_config = ConfigDict(extra="forbid")
