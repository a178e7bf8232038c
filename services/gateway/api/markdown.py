"""Turns the little Markdown that the API's description is written in into HTML."""

import re
from html import escape
from typing import Final

_CODE: Final = re.compile(r"`([^`]+)`")
_FENCE: Final = "```"


def as_html(text: str) -> str:
    """Headings (`##`), tables, fenced code and paragraphs, parted by empty lines."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return "\n".join(_block(block) for block in blocks if block)


def inline(text: str) -> str:
    """A line of text, safe within HTML, with its `code` marked."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _block(block: str) -> str:
    if block.startswith("## "):
        return f"<h2>{inline(block[3:])}</h2>"
    if block.startswith(_FENCE):
        code = block.removesuffix(_FENCE).partition("\n")[2]
        return f"<pre>{escape(code.rstrip())}</pre>"
    if block.startswith("|"):
        return _table(block.splitlines())
    return f"<p>{inline(block)}</p>"


def _table(lines: list[str]) -> str:
    # The second line only parts the head from the rows.
    rows = [_row(line, "td") for line in lines[2:]]
    return f"<table>{_row(lines[0], 'th')}{''.join(rows)}</table>"


def _row(line: str, kind: str) -> str:
    cells = line.strip().strip("|").split("|")
    return f"<tr>{''.join(f'<{kind}>{inline(cell.strip())}</{kind}>' for cell in cells)}</tr>"
