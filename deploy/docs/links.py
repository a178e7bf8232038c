"""Shows links to files that are not in the site, such as manifests, as their paths."""

import re
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Any, Final

_LINK: Final = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s#]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page, without links that lead out of docs/."""
    return without_links_out(markdown, page.file.src_uri)


def without_links_out(markdown: str, page_path: str) -> str:
    """The text of the page at `page_path`, from docs/, with each link out of docs/ as its path."""

    def shown(link: re.Match[str]) -> str:
        text, target = link.groups()
        path = normpath(str(PurePosixPath("docs", page_path).parent / target))
        if path.startswith("docs/"):
            return link[0]
        return f"`{path}`" if text.strip("`") in path else f"{text} (`{path}`)"

    return _LINK.sub(shown, markdown)
