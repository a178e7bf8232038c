"""The documentation is a site: no warning, every page in the navigation, nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.docs.links import without_links_out

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d"]
    return subprocess.run([*command, str(site)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    result = build(ROOT / "mkdocs.yml", folder)
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr, result.stderr
    return folder


def test_every_page_is_built_and_reached_from_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text()
    pages = [one.relative_to(DOCS).with_suffix(".html") for one in DOCS.rglob("*.md")]
    assert pages
    assert [str(one) for one in pages if not (site / one).exists()] == []
    assert [str(one) for one in pages if f'href="{one}"' not in home] == []


def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        fetched = re.findall(
            r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="(https?:)?//', page.read_text()
        )
        assert fetched == [], page
    for sheet in site.rglob("*.css"):
        assert re.findall(r"url\(['\"]?(?:https?:)?//", sheet.read_text()) == [], sheet


def test_a_page_outside_the_navigation_or_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# One\n")
    own = (ROOT / "mkdocs.yml").read_text().split("nav:\n  - Home")[0]
    config = tmp_path / "mkdocs.yml"
    config.write_text(
        own.replace("deploy/docs", str(ROOT / "deploy/docs")) + "nav:\n  - index.md\n"
    )
    assert build(config, tmp_path / "site").returncode == 0
    (docs / "index.md").write_text("# One\n\n[nowhere](nowhere.md)\n")
    assert build(config, tmp_path / "site").returncode != 0
    (docs / "index.md").write_text("# One\n")
    (docs / "other.md").write_text("# Other\n")
    assert build(config, tmp_path / "site").returncode != 0


def test_a_link_out_of_the_documentation_is_shown_as_its_path() -> None:
    text = "[kafka's rights](../deploy/kafka/acls.sh), [acls.sh](../deploy/kafka/acls.sh)"
    assert without_links_out(text, "securing.md") == (
        "kafka's rights (`deploy/kafka/acls.sh`), `deploy/kafka/acls.sh`"
    )
    inside = "[topics](../topics.md)"
    assert without_links_out(inside, "runbooks/log-disk.md") == inside
