"""The documentation as one page out of the OpenAPI schema, with nothing from other hosts."""

from collections.abc import Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse

from services.gateway.api.markdown import as_html, inline
from services.gateway.api.page import page_response

_PLACE: Final = "<!-- content -->"
Schema = Mapping[str, Any]


def documentation_router(app: FastAPI) -> APIRouter:
    """The route of the page."""
    router = APIRouter()
    frame = (files(__package__) / "documentation.html").read_text(encoding="utf-8")

    @router.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return page_response(frame.replace(_PLACE, content_of(app.openapi())))

    return router


def content_of(schema: Schema) -> str:
    """The description, then every operation, unfolded by a click."""
    operations = (
        _operation(schema, method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    )
    info = schema["info"]
    return "\n".join(
        (
            f"<h1>{escape(info['title'])}</h1>",
            as_html(info["description"]),
            "<h2>HTTP</h2>",
            *operations,
        )
    )


def _operation(schema: Schema, method: str, path: str, operation: Schema) -> str:
    head = (
        f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{inline(operation.get('summary', ''))}"
    )
    parts = (
        f"<p>{inline(operation.get('description', ''))}</p>",
        *_parameters(schema, operation.get("parameters", ())),
        *_request(schema, operation.get("requestBody", {})),
        *_answers(schema, operation["responses"]),
    )
    return f"<details><summary>{head}</summary>\n{''.join(parts)}\n</details>"


def _parameters(schema: Schema, parameters: Any) -> Iterator[str]:
    if parameters:
        yield "<h3>Parameters</h3>"
        yield _table(
            (
                f"<code>{escape(one['name'])}</code> ({escape(one['in'])})",
                escape(_kind(schema, one["schema"])),
                inline(one.get("description", "")),
            )
            for one in parameters
        )


def _request(schema: Schema, body: Schema) -> Iterator[str]:
    for content in body.get("content", {}).values():
        model = _resolved(schema, content["schema"])
        yield "<h3>Body</h3>"
        yield from _fields(schema, model)
        for example in model.get("examples", ()):
            text = orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
            yield f"<pre>{escape(text)}</pre>"


def _answers(schema: Schema, answers: Schema) -> Iterator[str]:
    refusals = []
    for status, answer in sorted(answers.items()):
        if not status.startswith("2"):
            refusals.append(f"<code>{escape(status)}</code> {escape(answer['description'])}")
            continue
        for kind, content in answer.get("content", {}).items():
            model = _resolved(schema, content["schema"])
            yield f"<h3>Answer {escape(status)}, {escape(kind)}</h3>"
            yield f"<p>{inline(model.get('description', ''))}</p>"
            yield from _fields(schema, model)
    if refusals:
        yield f"<h3>Refusals, application/problem+json</h3><p>{', '.join(refusals)}</p>"


def _fields(schema: Schema, model: Schema) -> Iterator[str]:
    if "properties" in model:
        required = model.get("required", ())
        yield _table(
            (
                f"<code>{escape(name)}</code>",
                escape(_kind(schema, one) + (", required" if name in required else "")),
                inline(one.get("description", "")),
            )
            for name, one in model["properties"].items()
        )


def _resolved(schema: Schema, reference: Schema) -> Schema:
    name = reference.get("$ref", "").rpartition("/")[2]
    found: Schema = schema["components"]["schemas"][name] if name else reference
    return found


def _kind(schema: Schema, one: Schema) -> str:
    """A schema's type in a word or a few."""
    if "anyOf" in one:
        return " or ".join(_kind(schema, each) for each in one["anyOf"])
    if "$ref" in one:
        choices = _resolved(schema, one).get("enum")
        return ", ".join(choices) if choices else str(one["$ref"].rpartition("/")[2])
    if one.get("type") == "array":
        return f"array of {_kind(schema, one['items'])}"
    return str(one.get("format") or one.get("type") or "any JSON")


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    lines = (f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{''.join(lines)}</table>"
