"""Errors as problem details (RFC 9457): for programs a code, for people a sentence."""

from http import HTTPStatus
from math import ceil
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from parley.events import ConversationState
from services.gateway.core.refusals import Code, Refused
from services.gateway.store import StoreBehind, StoreUnavailable

MEDIA_TYPE: Final = "application/problem+json"
MAX_ERRORS: Final = 50
_METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class FieldProblem(BaseModel):
    """What is wrong with one field; never its value."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong, and whether the same again may succeed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Service Unavailable",
                    "status": 503,
                    "code": "not_durable",
                    "detail": "Kafka has not acknowledged it: the same id may be sent again",
                    "retryable": True,
                }
            ]
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    retryable: bool
    errors: list[FieldProblem] = Field(default_factory=list, description="At most 50.")
    state: ConversationState | None = Field(
        default=None, description="Of a refused transition: where the conversation stands."
    )
    allowed: list[ConversationState] | None = Field(
        default=None, description="Of a refused transition: where it may go from there."
    )


REF: Final = "#/components/schemas/{model}"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its documentation."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(model="Problem")}}},
        }
        for status in statuses
    }


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    retry_after_s: int | None = None,
    errors: list[FieldProblem] | None = None,
    **more: Any,
) -> JSONResponse:
    """A problem as a response; it is retryable when it says when."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        retryable=retry_after_s is not None,
        errors=errors or [],
        **more,
    )
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


_STATUSES: Final = {
    Code.UNAUTHENTICATED: 401,
    Code.TOKEN_EXPIRED: 401,
    Code.FORBIDDEN: 403,
    Code.NO_CONVERSATION: 404,
    Code.INVALID_TRANSITION: 409,
    Code.TRANSITION_LOST: 409,
    Code.CONVERSATION_ENDED: 409,
    Code.RATE_LIMITED: 429,
}


def refusal_response(refused: Refused) -> JSONResponse:
    """A refusal as a response: mostly 503 for what passes by itself, and 422 for what does not."""
    retry_after_s = None
    if refused.is_retryable:
        # Never 0: a client that obeys it would turn in a circle.
        retry_after_s = max(1, ceil((refused.retry_after_ms or 0) / 1000))
    status = _STATUSES.get(refused.code, 503 if refused.is_retryable else 422)
    response = problem_response(
        status,
        refused.code,
        refused.message,
        retry_after_s=retry_after_s,
        state=refused.state,
        allowed=None if refused.allowed is None else list(refused.allowed),
    )
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _on_refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)  # noqa: S101 - by its registration
    return refusal_response(error)


async def _on_unavailable(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(
        503, "store_unavailable", "the database cannot be read now", retry_after_s=1
    )


async def _on_behind(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(
        503, "not_stored_yet", "what you wrote is durable, but not stored yet", retry_after_s=1
    )


async def _on_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - by its registration
    errors = [
        FieldProblem(field=".".join(map(str, one["loc"])), message=one["msg"])
        # A body of thousands of mistakes is not answered by thousands of lines.
        for one in error.errors()[:MAX_ERRORS]
    ]
    return problem_response(422, "invalid_request", "the request is not valid", errors=errors)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - by its registration
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    response = problem_response(error.status_code, code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(_methods_at(request))
    return response


def _methods_at(request: Request) -> list[str]:
    """What this path takes, over all routes: Starlette names those of the first one only."""
    return [
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


async def _on_bug(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(500, "internal_error", "this is a fault of the gateway")


def install(app: FastAPI, *more_models: type[BaseModel]) -> None:
    """Make every error of the app a problem, and say so in its documentation.

    `more_models` are documented too: those that are only referred to by their names.
    """
    app.add_exception_handler(Refused, _on_refused)
    app.add_exception_handler(StoreUnavailable, _on_unavailable)
    app.add_exception_handler(StoreBehind, _on_behind)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)
    without_problems = app.openapi

    def openapi() -> dict[str, Any]:
        document = without_problems()
        # FastAPI collects only the models of `application/json`.
        models: tuple[type[BaseModel], ...] = (Problem, *more_models)
        for model in models:
            document["components"]["schemas"].update(_schemas(model))
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=REF)
    return {**schema.pop("$defs", {}), model.__name__: schema}
