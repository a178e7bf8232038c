"""A provider that answers at once: it reads a request's length, and always says the same.

`python -m benchmarks.analyzer.provider PORT` speaks as much of OpenAI's protocol as clients that
keep their connections need. A GET tells how many answers it gave.
"""

import asyncio
import json
import sys
from typing import Final, cast

import uvloop

MODEL: Final = "instant"
OUTPUT: Final = '{"summary":"they agreed"}'
INPUT_TOKENS: Final = 400
OUTPUT_TOKENS: Final = 7
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"

_COMPLETION: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": OUTPUT, "refusal": None},
        }
    ],
    "usage": {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    },
}


def response(body: bytes) -> bytes:
    """A whole HTTP response of JSON."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + _END + body


ANSWER: Final = response(json.dumps(_COMPLETION).encode())


class Answering(asyncio.Protocol):
    """One connection."""

    answer_count = 0

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        # uvloop's own are of no class of asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        while (length := length_of(self._received)) is not None:
            is_question = self._received.startswith(b"GET")
            self._received = self._received[length:]
            if self._transport is None:
                return
            if is_question:
                self._transport.write(response(str(Answering.answer_count).encode()))
            else:
                Answering.answer_count += 1
                self._transport.write(ANSWER)


def length_of(received: bytes) -> int | None:
    """How many bytes the first request has with its body; None while some are missing."""
    end = received.find(_END)
    if end < 0:
        return None
    whole = end + len(_END)
    head = received[:end].lower()
    at = head.find(_LENGTH)
    if at >= 0:
        whole += int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
    return whole if len(received) >= whole else None


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
