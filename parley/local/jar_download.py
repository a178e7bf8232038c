"""Downloads the jars of a lock file: `python -m parley.local.jar_download FOLDER LOCK_FILE`.

It is a process of its own because its HTTP library takes the certificates from the environment.
"""

import logging
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import stamina
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from parley.local.jars import Jar, read_lock

_PARALLEL = 8
_REPORT_EVERY = 10


def _fetch(jar: Jar, folder: Path, context: MavenContext) -> None:
    target = folder / jar.file_name
    if jar.is_at(target):
        return
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    # The library would take the torn file of a failed attempt for the whole one.
    if artifact.cached_path is not None:
        artifact.cached_path.unlink(missing_ok=True)
    downloaded = artifact.resolve()
    if not jar.is_at(downloaded):
        raise OSError(f"{jar.file_name} is not the file that the lock names")
    downloaded.replace(target)


def download(folder: Path, lock_file: Path) -> None:
    """Fetch every jar that is not yet in the folder, several at a time, and print how far it is.

    A jar that fails is tried three times. Raises OSError or RuntimeError with the last reason.
    """
    jars = read_lock(lock_file)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="maven-") as repository:
        context = MavenContext(
            repo_cache=Path(repository),
            # A mirror that the user configured for jgo is asked before the public repository.
            remote_repos={**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL},
        )
        fetch = stamina.retry(on=(OSError, RuntimeError), attempts=3)(_fetch)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            results = pool.map(lambda jar: fetch(jar, folder, context), jars)
            try:
                _report(results, len(jars))
            finally:
                # Without a network, none of the others is worth its three attempts.
                pool.shutdown(cancel_futures=True)


def _report(results: Iterator[None], total: int) -> None:
    for count, _ in enumerate(results, start=1):
        if count % _REPORT_EVERY == 0 or count == total:
            sys.stdout.write(f"{count} of {total} jars\n")
            sys.stdout.flush()


def main() -> None:
    """Download, or say in one line why not and exit with status 1."""
    logging.disable(logging.CRITICAL)
    try:
        download(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, RuntimeError) as error:
        sys.exit(" ".join(str(error).split())[:500])


if __name__ == "__main__":
    main()
