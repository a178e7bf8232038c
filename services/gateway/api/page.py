"""The page to try it by hand, under a policy that lets it reach nobody else."""

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_NOTHING: Final = "'none'"


def page_router() -> APIRouter:
    """The route of the page."""
    router = APIRouter()
    html = (files(__package__) / "page.html").read_text(encoding="utf-8")

    @router.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return page_response(html)

    return router


def page_response(html: str) -> HTMLResponse:
    """A page of the gateway's own, with the policy that fits it."""
    headers = {
        "Content-Security-Policy": content_security_policy(html),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return HTMLResponse(html, headers=headers)


def content_security_policy(html: str) -> str:
    """Nothing but this page's own script and style, by their digests, and its own server."""
    digests: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = b64encode(sha256(text.encode()).digest()).decode()
        digests[kind].append(f"'sha256-{digest}'")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(digests['script']) or _NOTHING}",
            f"style-src {' '.join(digests['style'])}",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )
