"""Provides sets of jars in folders of the checkout, downloaded once and verified.

A lock file names every jar by its Maven coordinates and SHA-256, so that nothing is resolved at
run time and every machine has the same bytes. `kafka-jars.lock` is the set that Maven resolves
for kafka_2.13, kafka-clients, log4j-core and log4j-slf4j-impl.
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
class JarSet:
    """Jars that are used together: `folder_name` is where they lie in the cache."""

    title: str
    lock_file: Path
    folder_name: str
    megabytes: int


KAFKA = JarSet("Kafka", LOCK_FILE, "jars", 45)


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of a set."""

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


def read_lock(lock_file: Path = LOCK_FILE) -> list[Jar]:
    """Return every jar that a lock file names."""
    rows = (line.split() for line in lock_file.read_text().splitlines())
    split = ((*coordinates.split(":"), sha256) for coordinates, sha256 in rows)
    return [Jar(group, artifact, version, sha256) for group, artifact, version, sha256 in split]


def ensure(cache_dir: Path, progress: Callable[[str], None], jar_set: JarSet = KAFKA) -> Path:
    """Return the folder with all jars of a set, downloading what is missing.

    They gather in `jars.partial`, whose whole files a killed download leaves for the next one,
    and which becomes `jars` in one rename once the marker is in it.
    Raises UserError when the download fails.
    """
    folder = cache_dir / jar_set.folder_name
    partial = cache_dir / f"{jar_set.folder_name}.partial"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _locked(cache_dir / f"{jar_set.folder_name}.lock"):
        if not _is_complete(folder, jar_set):
            _download(partial, progress, jar_set)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
    return folder


def _expected_marker(jar_set: JarSet) -> str:
    return hashlib.sha256(jar_set.lock_file.read_bytes()).hexdigest()


def _is_complete(folder: Path, jar_set: JarSet) -> bool:
    marker = folder / MARKER
    return marker.exists() and marker.read_text() == _expected_marker(jar_set)


def _download(partial: Path, progress: Callable[[str], None], jar_set: JarSet) -> None:
    partial.mkdir(exist_ok=True)
    count = len(read_lock(jar_set.lock_file))
    progress(f"{jar_set.title}: downloading {count} jars, {jar_set.megabytes} MB, once")
    arguments = (str(partial), str(jar_set.lock_file))
    child = subprocess.Popen(
        environment.python_module("parley.local.jar_download", *arguments),
        env=environment.for_download(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = ""
    with child:
        for line in child.stdout or ():
            last = line.strip()
            progress(f"{jar_set.title}: {last}")
    if child.returncode != 0:
        raise UserError(
            f"{jar_set.title} could not be downloaded: {last}.",
            "Check the network, and the certificates in REQUESTS_CA_BUNDLE or SSL_CERT_FILE where "
            "a proxy is in between; a mirror can be named under [repositories] in "
            "~/.config/jgo.conf. Then start again: what was downloaded is kept.",
        )
    (partial / MARKER).write_text(_expected_marker(jar_set))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time download into a cache that several stacks share."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
