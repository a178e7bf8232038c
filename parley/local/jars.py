"""Provides Kafka's jars in a folder of the checkout, downloaded once and verified.

`kafka-jars.lock` names every jar by its Maven coordinates and SHA-256 (the set that Maven
resolves for kafka_2.13, kafka-clients, log4j-core and log4j-slf4j-impl), so that nothing is
resolved at run time and every machine has the same bytes.
"""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley.errors import UserError
from parley.local import environment

LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
MARKER = "complete"


@dataclass(frozen=True, slots=True)
class Jar:
    """One file that Kafka needs."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Return the file's name in the jar folder."""
        return f"{self.artifact}-{self.version}.jar"

    def is_at(self, path: Path) -> bool:
        """Return whether the file is there, whole and unchanged."""
        return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def read_lock() -> list[Jar]:
    """Return every jar of `kafka-jars.lock`."""
    rows = (line.split() for line in LOCK_FILE.read_text().splitlines())
    split = ((*coordinates.split(":"), sha256) for coordinates, sha256 in rows)
    return [Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in split]


def ensure(cache_dir: Path, progress: Callable[[str], None]) -> Path:
    """Return the folder with all jars, downloading what is missing.

    They gather in `jars.partial`, whose whole files a killed download leaves for the next one,
    and which becomes `jars` in one rename once the marker is in it.
    Raises UserError when the download fails.
    """
    folder = cache_dir / "jars"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _locked(cache_dir / "jars.lock"):
        if not _is_complete(folder):
            _download(cache_dir / "jars.partial", progress)
            shutil.rmtree(folder, ignore_errors=True)
            (cache_dir / "jars.partial").rename(folder)
    return folder


def _expected_marker() -> str:
    return hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()


def _is_complete(folder: Path) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text() == _expected_marker()


def _download(partial: Path, progress: Callable[[str], None]) -> None:
    partial.mkdir(exist_ok=True)
    progress(f"Kafka: downloading {len(read_lock())} jars, 45 MB, once")
    child = subprocess.Popen(
        environment.python_module("parley.local.jar_download", str(partial)),
        env=environment.for_download(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = ""
    with child:
        for line in child.stdout or ():
            last = line.strip()
            progress(f"Kafka: {last}")
    if child.returncode != 0:
        raise UserError(
            f"Kafka could not be downloaded: {last}.",
            "Check the network, and the certificates in REQUESTS_CA_BUNDLE or SSL_CERT_FILE where "
            "a proxy is in between; a mirror can be named under [repositories] in "
            "~/.config/jgo.conf. Then start again: what was downloaded is kept.",
        )
    (partial / MARKER).write_text(_expected_marker())


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time download into a cache that several stacks share."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
