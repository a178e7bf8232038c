"""Puts what was said into the log: in order, within bounds, and durable or refused."""

from services.gateway.stream.messages import MessageWriter
from services.gateway.stream.publisher import Publisher
from services.gateway.stream.submission import Outcome, Recorded, Then

__all__ = ["MessageWriter", "Outcome", "Publisher", "Recorded", "Then"]
