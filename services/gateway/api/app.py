"""The gateway's HTTP application: its routes, its guards and its documentation."""

from typing import Final

from fastapi import FastAPI, WebSocket

from parley.health import Health
from services.gateway.access import Access, AccessGuard, OriginGuard, caller_of
from services.gateway.api import problems
from services.gateway.api.acknowledged import acknowledged_router
from services.gateway.api.batch import BatchMessageIn
from services.gateway.api.documentation import documentation_router
from services.gateway.api.import_log import ImportLog
from services.gateway.api.operations import operations_router
from services.gateway.api.page import page_router
from services.gateway.api.parts import Parts
from services.gateway.api.problems import refusal_response
from services.gateway.api.routes import api_routers
from services.gateway.api.strict_json import strict_json_route
from services.gateway.api.trace_parent import TraceParent
from services.gateway.api.trying import trying_router
from services.gateway.connection.connections import Connections
from services.gateway.core.parsing import check_conversation_id
from services.gateway.core.refusals import Refused
from services.gateway.limits import Limits
from services.gateway.responder.answering import Answering
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.store import Store
from services.gateway.stream import Publisher
from services.gateway.talk import Talk

DESCRIPTION: Final = """
Takes in what is said, and answers once it is durable.

## WebSocket: `/api/ws/conversations/{conversation_id}`

Frames are JSON texts: `{"type": …, "payload": {…}, "id"?: …, "position"?: …, "ts"?: …}`. Say \
`hello` within 5 seconds; then every frame that is recorded carries an `id` of yours, and gets one \
`ack` once it is durable, or one `error`. The same `id` again is the same event, however late.

| you send | payload |
|---|---|
| `hello` | `client_id` (keep it: your ids count within it; made up when missing), `user_id`, \
`channel` (chooses the gap policy), `metadata`, `token`; to come back to a session its \
`session_id` and `generation`; to miss nothing the last `position`; `deliver`: `all`, `others` \
(not what this `client_id` caused) or `none` (answers only) |
| `transcript_update` | `text`, `is_final`, `role` (`user`), `audio_url`, `language`, \
`utterance_id`, `metadata`; a final one needs an `id` and becomes a message; others are only \
shown, and need `utterance_id` and `sequence` |
| `ai_response` | the same, of the assistant; needs an `id` |
| `speech_event` | `kind`: `speech_started`, `speech_ended`, `playback_started`, \
`playback_ended`, `interrupted` (with `target_id` or `target_event_id`, `text` as it was really \
spoken, and an `id`) |
| `state_update` | `state`, `cause`, `reopen`; needs an `id` |
| `end` | ends the session; a closed socket ends it after a minute |
| `ping` | answered by `pong` |

Recorded frames may carry `occurred_at` and `sent_at`, both by your clock: its error cancels out.

| you get | |
|---|---|
| `connection_status` | `connected`: `session_id`, `generation`, `client_id`, `position`, \
`open_connections`, `heartbeat_interval_seconds`, `snapshot` (null: nobody can say now); \
`resumed`: `recovered`, `reason`; `presence`; `draining`: connect again, the socket closes (1012) |
| `ack` | `id`, `event_id`, `position` |
| `error` | `id`, `code`, `message`, `retryable`, `retry_after_ms`; of a transition also `state` \
and `allowed` |
| `transcript_update`, `ai_response`, `state_update`, `speech_event` | what anybody did; with a \
`position` where it is kept |

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
    *,
    limits: Limits | None = None,
    answering: Answering | None = None,
    imports: ImportLog | None = None,
) -> FastAPI:
    """The application around its parts; without the last three it does without them."""
    # FastAPI's own pages would fetch their scripts from other hosts.
    app = FastAPI(
        title="Parley gateway",
        description=DESCRIPTION,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app, BatchMessageIn)
    # The last one added comes first: who may connect at all, then who it is.
    app.add_middleware(AccessGuard, access=access)
    app.add_middleware(OriginGuard, allowed_origins=settings.gateway_origins, any_host=access.is_on)
    if settings.tracing:
        app.add_middleware(TraceParent)
    parts = Parts(settings, publisher, sessions, talk, store, limits, answering, imports)
    for router in api_routers(parts):
        app.include_router(router)
    if settings.gateway_test_endpoints:
        strictly = strict_json_route(settings.gateway_max_frame_bytes)
        app.include_router(trying_router(parts, health, strictly))
    app.include_router(operations_router(health))
    app.include_router(acknowledged_router(publisher))
    app.include_router(page_router())
    app.include_router(documentation_router(app))

    @app.websocket("/api/ws/conversations/{conversation_id}")
    async def converse(socket: WebSocket, conversation_id: str) -> None:
        try:
            check_conversation_id(conversation_id)
            connections.refuse_while_draining()
            await connections.serve(socket, conversation_id, caller_of(socket))
        except Refused as refused:
            await socket.send_denial_response(refusal_response(refused))

    return app
