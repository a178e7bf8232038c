"""Errors as problem details (RFC 9457): for programs a code, for people a sentence."""

from http import HTTPStatus
from math import ceil
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from services.gateway.core.refusals import Code, Refused
from services.gateway.store import StoreBehind, StoreUnavailable

MEDIA_TYPE: Final = "application/problem+json"


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
    errors: list[FieldProblem] = Field(default_factory=list)


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
) -> JSONResponse:
    """A problem as a response; it is retryable when it says when."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        retryable=retry_after_s is not None,
        errors=errors or [],
    )
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


_STATUSES: Final = {Code.UNAUTHENTICATED: 401, Code.TOKEN_EXPIRED: 401, Code.FORBIDDEN: 403}


def refusal_response(refused: Refused) -> JSONResponse:
    """A refusal as a response: 503 for what passes by itself; else 401, 403, or mostly 422."""
    if not refused.is_retryable:
        status = _STATUSES.get(refused.code, 422)
        response = problem_response(status, refused.code, refused.message)
        if status == HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    # Never 0: a client that obeys it would turn in a circle.
    retry_after_s = max(1, ceil((refused.retry_after_ms or 0) / 1000))
    return problem_response(503, refused.code, refused.message, retry_after_s=retry_after_s)


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
        for one in error.errors()
    ]
    return problem_response(422, "invalid_request", "the request is not valid", errors=errors)


async def _on_http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - by its registration
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    response = problem_response(error.status_code, code, str(error.detail))
    response.headers.update(error.headers or {})
    return response


async def _on_bug(_request: Request, _error: Exception) -> JSONResponse:
    return problem_response(500, "internal_error", "this is a fault of the gateway")


def install(app: FastAPI) -> None:
    """Make every error of the app a problem, and say so in its documentation."""
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
        document["components"]["schemas"].update(_schemas())
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _schemas() -> dict[str, Any]:
    schema = Problem.model_json_schema(ref_template=REF)
    return {**schema.pop("$defs"), "Problem": schema}
