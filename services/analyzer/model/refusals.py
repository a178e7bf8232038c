"""Decides what a refusal by an endpoint means: wait, ask somebody, or give this segment up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus as Status
from typing import Any, Final

from services.analyzer.model.contract import (
    InvalidAnswer,
    ModelError,
    ModelMisconfigured,
    ModelUnavailable,
    PromptTooLarge,
    Usage,
)

_ONE_CALL: Final = Usage(call_count=1)
# Too early, a conflict, a timeout of the server's: refusals of this attempt alone.
_PASSING: Final = (Status.REQUEST_TIMEOUT, Status.CONFLICT, Status.TOO_EARLY)
_REFUSED: Final = (Status.BAD_REQUEST, Status.UNPROCESSABLE_ENTITY)
_QUOTA: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
_UNKNOWN_MODEL: Final = frozenset({"model_not_found", "deployment_not_found", "unknown_model"})
_TOO_LARGE: Final = frozenset(
    {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
)
# Of the endpoints that have no code for it: vLLM, llama.cpp, gateways in front of others.
_TOO_LARGE_WORDS: Final = (
    *("maximum context length", "context length", "context window", "context size"),
    *("prompt is too long", "too many tokens", "input is too long"),
)
_FILTERED: Final = frozenset({"content_filter", "content_policy_violation", "invalid_prompt"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error of the protocol."""

    status: int
    code: str = ""
    kind: str = ""
    param: str = ""
    message: str = ""
    retry_after: timedelta | None = None

    @classmethod
    def of(cls, status: int, body: object, retry_after: timedelta | None) -> "Refusal":
        """What an answer says, whatever its body is."""
        told = _error_of(body)
        code, kind, param, message = (
            _text(told.get(name)) for name in ("code", "type", "param", "message")
        )
        return cls(status, code, kind, param, message, retry_after)


def failure_of(refusal: Refusal) -> ModelError:
    """What it means. Nothing of the provider's own words is kept: they quote the conversation."""
    if _is_one_of(refusal, _QUOTA) or refusal.status == Status.PAYMENT_REQUIRED:
        return ModelMisconfigured("quota_exhausted", _ONE_CALL)
    if refusal.status == Status.TOO_MANY_REQUESTS:
        return ModelUnavailable("rate_limited", refusal.retry_after, _ONE_CALL)
    if refusal.status >= Status.INTERNAL_SERVER_ERROR or refusal.status in _PASSING:
        return ModelUnavailable("unavailable", refusal.retry_after, _ONE_CALL)
    # The same request would be refused again.
    return _of_the_segment(refusal) or ModelMisconfigured(_misconfigured(refusal), _ONE_CALL)


def _of_the_segment(refusal: Refusal) -> ModelError | None:
    """Where it is what was said that is refused: no other segment is to suffer from it."""
    if _is_too_large(refusal):
        return PromptTooLarge("prompt_too_large", _ONE_CALL)
    if _is_one_of(refusal, _FILTERED):
        return InvalidAnswer("filtered", _ONE_CALL, "")
    if refusal.status in _REFUSED and refusal.param.startswith("messages"):
        return InvalidAnswer("refused_prompt", _ONE_CALL, "")
    return None


def _misconfigured(refusal: Refusal) -> str:
    if refusal.status in (Status.UNAUTHORIZED, Status.FORBIDDEN):
        return "bad_key"
    if refusal.status == Status.NOT_FOUND or _is_one_of(refusal, _UNKNOWN_MODEL):
        return "unknown_model"
    return "refused_parameters" if refusal.status in _REFUSED else "wrong_endpoint"


def _is_too_large(refusal: Refusal) -> bool:
    if refusal.status == Status.REQUEST_ENTITY_TOO_LARGE or _is_one_of(refusal, _TOO_LARGE):
        return True
    said = refusal.message.lower()
    return refusal.status in _REFUSED and any(words in said for words in _TOO_LARGE_WORDS)


def _is_one_of(refusal: Refusal, codes: frozenset[str]) -> bool:
    return refusal.code.lower() in codes or refusal.kind.lower() in codes


def _error_of(body: object) -> Mapping[str, Any]:
    """The error object, which some endpoints send bare, and some as a text."""
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    return error if isinstance(error, dict) else {"message": error}


def _text(value: object) -> str:
    """As far as it is one: endpoints also send numbers, and lists of what is wrong."""
    try:
        return str(value or "")
    except RecursionError:
        return ""
