"""The contract: generated code is true to proto/, and no released field changes its meaning."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
WIRE = ROOT / "parley" / "wire"
RELEASED = PROTO / "released.binpb"
BUF = Path(sys.executable).with_name("buf")


def breaking(proto: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BUF), "breaking", str(proto), "--against", str(RELEASED)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_generated_code_is_what_proto_generates(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(PROTO / "generate.py"), str(tmp_path)], check=True)
    names = {path.name for path in WIRE.glob("*.py*")}
    assert names == {path.name for path in tmp_path.iterdir()}
    for name in names:
        assert (WIRE / name).read_text() == (tmp_path / name).read_text(), (
            f"run `make wire`: {name}"
        )


def test_the_contract_is_compatible_with_the_released_one() -> None:
    result = breaking(PROTO)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("string tenant_id = 2;", "string tenant_id = 102;"),
        ("int64 generation = 1;", "string generation = 1;"),
        ("Tick tick = 48;", ""),
    ],
)
def test_a_breaking_change_is_found(tmp_path: Path, old: str, new: str) -> None:
    copy = tmp_path / "proto"
    shutil.copytree(PROTO, copy)
    events = copy / "parley" / "v1" / "events.proto"
    text = events.read_text()
    assert old in text
    events.write_text(text.replace(old, new, 1))
    assert breaking(copy).returncode != 0
