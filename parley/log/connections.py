"""What aiokafka's connections need of us while a broker is away."""

import asyncio
from functools import wraps
from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError


def tell_of_closed_connections() -> None:
    """Make writing to a connection that was reset a KafkaConnectionError; again is as once.

    Where asyncio's own loop drops what is written to a closed connection, uvloop raises a
    RuntimeError. aiokafka expects none: the background task of the producer or of the consumer
    ends for good, so that nothing is sent or fetched any more although the broker is there.
    """
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


async def stop_consumer(consumer: Any) -> None:
    """Stop an AIOKafkaConsumer, also while its broker is away.

    aiokafka cancels its own fetches and waits for them; of one that was waiting to try again it
    lets the CancelledError out, and leaves its connections open.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        await consumer._client.close()
