"""The peer in Python: Quix Streams, in a virtual environment that is made at run time.

It needs an older pydantic than Parley does, so it cannot be installed beside it.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson

from benchmarks.sealing import child, kafka_streams, traffic
from benchmarks.sealing.child import Child
from benchmarks.sealing.committed import committed
from benchmarks.sealing.peers import Job, Peer
from parley.errors import UserError

NAME: Final = "Quix Streams"
VERSION: Final = "3.28.1"
LOCK_FILE: Final = Path(__file__).with_name("quix-streams.lock")
PROGRAM: Final = Path(__file__).with_name("quix_windows.py")
MARKER: Final = "complete"


def peer(cache_dir: Path, progress: Callable[[str], None]) -> Peer:
    """The peer, installed; raises UserError where its packages cannot be had."""
    python = _ensure(cache_dir / "quix-streams", progress)
    start = partial(_running, python=python)
    return Peer(NAME, start, committed, kafka_streams.read, len(traffic.segments()))


def _ensure(folder: Path, progress: Callable[[str], None]) -> Path:
    """The environment's Python; the marker is written last, so that half of one is made again."""
    marker, digest = folder / MARKER, sha256(LOCK_FILE.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if not (marker.exists() and marker.read_text() == digest):
        progress(f"{NAME}: installing its packages into an environment of its own, once")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--require-hashes", "-r", str(LOCK_FILE)])
        marker.write_text(digest)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"{NAME} could not be installed: {done.stderr.strip()[-500:]}")


@contextmanager
def _running(job: Job, python: Path) -> Iterator[Child]:
    file = job.folder / "job.json"
    file.write_bytes(
        orjson.dumps(
            {
                "bootstrap": job.settings.kafka_bootstrap,
                "group": job.group,
                "state_dir": str(job.folder / "state"),
                "input": job.input_topic,
                "output": job.output_topic,
                "gap_ms": traffic.GAP_MS,
                "grace_ms": traffic.GRACE_MS,
            }
        )
    )
    with child.running([str(python), str(PROGRAM), str(file)], job.folder) as process:
        yield process
