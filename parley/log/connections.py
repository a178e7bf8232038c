"""aiokafka's connections on uvloop: who writes to one that was reset is told so, and tries again.

Where asyncio's own loop drops what is written to a closed connection, uvloop raises a
RuntimeError. aiokafka expects none: the background task of the producer or of the consumer ends
for good, so that nothing is sent or fetched any more although the broker is there.
"""

from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError


def tell_of_closed_connections() -> None:
    """Make every connection of this process say KafkaConnectionError instead; again is as once."""
    send = AIOKafkaConnection.send
    if hasattr(send, "__wrapped__"):
        return

    @wraps(send)
    def telling(connection: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return send(connection, *arguments, **named)
        except KafkaError:
            # These are RuntimeErrors too.
            raise
        except RuntimeError as error:
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError("the connection is closed") from error

    AIOKafkaConnection.send = telling
