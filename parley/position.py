"""Where an event lies in the log; clients see it as an opaque string."""

from base64 import urlsafe_b64decode
from binascii import b2a_base64
from typing import Final, NamedTuple, Self

# Of base64's characters the two that mean something in a URL.
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class InvalidPosition(ValueError):
    """A text that is not a position which Parley gave out."""


class Position(NamedTuple):
    """A topic's incarnation, a partition and an offset. It grows within a conversation."""

    incarnation: str
    partition: int
    offset: int

    def __str__(self) -> str:
        # All at once: by name each takes as long as to write it.
        incarnation, partition, offset = self
        text = f"1.{incarnation}.{partition}.{offset}"
        # base64's own function does the same with twice the calls.
        written = b2a_base64(text.encode(), newline=False).translate(_URL_SAFE)
        return written.decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a position back; raises InvalidPosition."""
        try:
            padded = text + "=" * (-len(text) % 4)
            version, incarnation, partition, offset = urlsafe_b64decode(padded).decode().split(".")
            if version != "1":
                raise InvalidPosition(f"position of an unknown form: {version!r}")
            return cls(incarnation, int(partition), int(offset))
        except ValueError as error:
            raise InvalidPosition("not a position that Parley gave out") from error
