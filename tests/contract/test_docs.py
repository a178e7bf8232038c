"""What the documentation names is there."""

import re
from pathlib import Path

from parley.db.roles import GRANTS, Role
from parley.db.rules import VIEWS
from parley.db.schema import metadata

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


def test_every_table_and_view_is_described() -> None:
    text = (ROOT / "docs" / "tables.md").read_text()
    missing = [name for name in (*metadata.tables, *VIEWS) if f"`{name}`" not in text]
    assert missing == []


def test_the_documented_rights_are_those_that_are_given() -> None:
    text = (ROOT / "docs" / "tables.md").read_text()
    documented = {}
    for name, cells in re.findall(r"^\| `([\w.]+)` \|((?: [riud]* \|){7})$", text, re.M):
        letters = [cell.strip() for cell in cells.split("|")[:-1]]
        documented.update(
            {(role, name): mine for role, mine in zip(Role, letters, strict=True) if mine}
        )
    given = {(role, one.table): one.letters for role, grants in GRANTS.items() for one in grants}
    assert documented == given
