"""A package as docs/writing-a-pass.md shows it is built, installed, found and tested.

The code is the page's own. pip builds it and installs it into a folder, without the network.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from parley.codec.definitions import decode_definition
from parley.passes.definition import PassDefinition
from services.analyzer.passes import SHIPPED
from services.analyzer.passes.prompts import shipped_prompts

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "writing-a-pass.md"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps")
SHIPPED_NAMES = {one.name for one in (*(one.definition for one in SHIPPED), *shipped_prompts())}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def python(*arguments: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Python with the packages that are installed in `path` besides those of the environment."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": f"{path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's package is installed."""
    source, target = tmp_path_factory.mktemp("polite-pass"), tmp_path_factory.mktemp("installed")
    code, _ = blocks("python")
    (pyproject,) = blocks("toml")
    (source / "polite_pass.py").write_text(code)
    (source / "pyproject.toml").write_text(pyproject)
    where = ("--target", str(target), "--no-build-isolation", str(source))
    built = python(*PIP, *where, path=source)
    assert built.returncode == 0, built.stderr
    return target


def definitions(path: Path) -> list[PassDefinition]:
    """What a process with these packages has."""
    told = python("-m", "services.analyzer.shipped", path=path)
    assert told.returncode == 0, told.stderr
    return [decode_definition(line) for line in told.stdout.splitlines()]


def names(found: list[PassDefinition]) -> set[str]:
    return {one.name for one in found}


def test_the_pages_pass_is_found_beside_the_shipped_ones(installed: Path) -> None:
    found = definitions(installed)
    assert names(found) == {"polite", *SHIPPED_NAMES}
    (polite,) = [one for one in found if one.name == "polite"]
    assert (polite.version, polite.category) == (1, "manners")


def test_without_the_package_it_is_not_found(tmp_path: Path) -> None:
    assert "polite" not in names(definitions(tmp_path))


def test_the_pages_test_passes(installed: Path, tmp_path: Path) -> None:
    _, test = blocks("python")
    (tmp_path / "test_polite.py").write_text(test)
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    told = python("-m", "pytest", *options, str(tmp_path / "test_polite.py"), path=installed)
    assert "1 passed" in told.stdout, told.stdout


def test_a_package_that_breaks_or_prints_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("print('loud')\nraise LookupError('no model')\n")
    info = tmp_path / "loud-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[parley.passes]\nloud = loud:PASS\n")
    assert names(definitions(tmp_path)) == SHIPPED_NAMES
    told = python("-m", "services.analyzer.shipped", path=tmp_path)
    assert "loud of loud" in told.stderr
    assert "LookupError: no model" in told.stderr


def test_the_page_tells_of_every_shipped_pass() -> None:
    assert all(f"| `{one.definition.name}` |" in PAGE.read_text() for one in SHIPPED)
