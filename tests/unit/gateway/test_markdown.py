"""The little Markdown of the API's description as HTML."""

from services.gateway.api.markdown import as_html


def test_headings_paragraphs_and_code() -> None:
    assert as_html("\nTwo\nlines.\n\n## A `b`\n\n```json\n{<1>}\n```\n") == (
        "<p>Two\nlines.</p>\n<h2>A <code>b</code></h2>\n<pre>{&lt;1&gt;}</pre>"
    )


def test_a_table_has_a_head_and_may_have_empty_cells() -> None:
    assert as_html("| a | |\n|---|---|\n| `b` | c & d |") == (
        "<table><tr><th>a</th><th></th></tr>"
        "<tr><td><code>b</code></td><td>c &amp; d</td></tr></table>"
    )
