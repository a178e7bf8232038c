"""Shows characters that would steer a terminal as they are written.

Whoever talks chooses ids, and what is said: written out as they come, some of them could rewrite
the screen of whoever looks, or fill their clipboard.
"""

from typing import Final

# But for the line break and the tab, which texts of several lines have.
STEERING: Final = {
    code: f"\\x{code:02x}"
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in ("\n", "\t")
}
_IN_ONE_LINE: Final = {**STEERING, ord("\n"): "\\n", ord("\t"): "\\t"}
# JSON itself escapes those below the space.
_IN_JSON: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def in_one_line(text: str) -> str:
    """The text in a line that does nothing but stand there."""
    return text.translate(_IN_ONE_LINE)


def in_json(written: str) -> str:
    """The same JSON, all of whose texts do nothing but stand there."""
    return written.translate(_IN_JSON)
