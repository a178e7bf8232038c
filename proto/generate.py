"""Generates parley/wire from the contract; `make wire` runs it, a test compares the result."""

import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from grpc_tools import protoc

PROTO_ROOT = Path(__file__).resolve().parent
WIRE_ROOT = PROTO_ROOT.parent / "parley" / "wire"
INIT = '"""Generated from proto/ by `make wire`; never edited."""\n'


def generate(target: Path) -> None:
    """Write the modules of every .proto file, and their types, into `target`."""
    sources = sorted(str(path.relative_to(PROTO_ROOT)) for path in PROTO_ROOT.rglob("*.proto"))
    with TemporaryDirectory() as scratch:
        _compile(sources, scratch)
        for module in sorted(Path(scratch).rglob("*_pb2.py*")):
            _place(module, target)
    (target / "__init__.py").write_text(INIT)


def _compile(sources: list[str], output: str) -> None:
    includes = [f"-I{PROTO_ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
    status = protoc.main(  # type: ignore[no-untyped-call]
        ["protoc", *includes, f"--python_out={output}", f"--pyi_out={output}", *sources]
    )
    if status:
        sys.exit(f"protoc failed with status {status}")


def _place(module: Path, target: Path) -> None:
    # protoc names modules after the proto's folder; ours live under parley.wire.
    text = module.read_text().replace("from parley.v1 import", "from parley.wire import")
    (target / module.name).write_text(text)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else WIRE_ROOT)
