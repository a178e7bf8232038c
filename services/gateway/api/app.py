"""The gateway's HTTP application: its routes, its guards and its documentation."""

from typing import Final

from fastapi import FastAPI, WebSocket

from parley.health import Health, health_router
from services.gateway.access import Access, AccessGuard, OriginGuard, caller_of
from services.gateway.api import problems
from services.gateway.api.documentation import documentation_router
from services.gateway.api.page import page_router
from services.gateway.api.problems import refusal_response
from services.gateway.api.reading import reading_router
from services.gateway.api.writing import writing_router
from services.gateway.connection.connections import Connections
from services.gateway.core.refusals import Refused
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.store import Store
from services.gateway.stream import Publisher
from services.gateway.talk import Talk

DESCRIPTION: Final = """
Takes in what is said, and answers once it is durable.

## WebSocket: `/api/ws/conversations/{conversation_id}`

Frames are JSON texts: `{"type": …, "payload": {…}, "id"?: …, "ts"?: …}`. Say `hello` within
5 seconds; then every frame that is recorded carries an `id` of yours, and gets one `ack` once it
is durable, or one `error`. The same `id` again is the same message, however late.

| you send | payload |
|---|---|
| `hello` | `client_id` (keep it: your ids count within it; made up when missing), `user_id`, \
`channel` (chooses the gap policy), `metadata`; to come back to a session its `session_id` and \
`generation` |
| `transcript_update` | `text`, `is_final` (must be true), `role` (`user`), `audio_url`, \
`language`, `utterance_id`, `metadata` |
| `ai_response` | the same, of the assistant |
| `end` | ends the session; a closed socket ends it after a minute |
| `ping` | answered by `pong` |

Recorded frames may carry `occurred_at` and `sent_at`, both by your clock: its error cancels out.

| you get | |
|---|---|
| `connection_status` | `connected`: `session_id`, `generation`, `client_id`, `position`, \
`heartbeat_interval_seconds`; `draining`: connect again, then the socket closes with 1012 |
| `ack` | `id`, `event_id`, `position` |
| `error` | `id`, `code`, `message`, `retryable`, `retry_after_ms` |

```json
{"type": "hello", "payload": {"client_id": "agent-7", "user_id": "u-1", "channel": "demo"}}
{"type": "transcript_update", "id": "1", "payload": {"text": "Hello!", "is_final": true}}
{"type": "end", "id": "2"}
```
"""


def build_app(
    settings: GatewaySettings,
    publisher: Publisher,
    sessions: Sessions,
    connections: Connections,
    store: Store,
    talk: Talk,
    access: Access,
    health: Health,
) -> FastAPI:
    """The application around its parts."""
    # FastAPI's own pages would fetch their scripts from other hosts.
    app = FastAPI(
        title="Parley gateway",
        description=DESCRIPTION,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    # The last one added comes first: who may connect at all, then who it is.
    app.add_middleware(AccessGuard, access=access)
    app.add_middleware(
        OriginGuard, allowed_origins=settings.gateway_origins, any_host=access.is_on
    )
    app.include_router(writing_router(publisher, sessions, settings.gateway_max_frame_bytes))
    app.include_router(reading_router(store))
    app.include_router(health_router(health))
    app.include_router(page_router())
    app.include_router(documentation_router(app))

    @app.websocket("/api/ws/conversations/{conversation_id}")
    async def converse(socket: WebSocket, conversation_id: str) -> None:
        try:
            connections.refuse_while_draining()
            await connections.serve(socket, conversation_id, caller_of(socket))
        except Refused as refused:
            await socket.send_denial_response(refusal_response(refused))

    return app
