"""What the documentation names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def test_every_test_that_the_documents_name_exists() -> None:
    named = [
        reference
        for document in DOCUMENTS
        for reference in re.findall(r"`(tests/[^`\s]+\.py(?:::\w+)?)`", document.read_text())
    ]
    assert named
    for reference in named:
        path, _, test = reference.partition("::")
        assert f"def {test}" in (ROOT / path).read_text(), reference


def test_every_link_between_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
