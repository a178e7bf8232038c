"""The peer in Java: Kafka Streams, compiled from the source beside this file at run time.

The compiler is Eclipse's: a Java runtime has none of its own.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.sealing import child, traffic
from benchmarks.sealing.child import Child
from benchmarks.sealing.committed import committed
from benchmarks.sealing.peers import Job, Peer, Result
from benchmarks.sealing.traffic import Segment
from parley.errors import UserError
from parley.local import environment, jars
from parley.local.jars import JarSet
from parley.local.kafka import find_java

NAME: Final = "Kafka Streams"
VERSION: Final = "4.1.1"
JARS: Final = JarSet(
    NAME, Path(__file__).with_name("kafka-streams-jars.lock"), "kafka-streams-jars", 95
)
MAIN_CLASS: Final = "SessionWindowsPeer"
SOURCE: Final = Path(__file__).with_name(f"{MAIN_CLASS}.java")

_COMPILER: Final = "org.eclipse.jdt.internal.compiler.batch.Main"
_COMPILER_FLAGS: Final = ("-source", "17", "-target", "17", "-proc:none", "-nowarn")
_JVM_FLAGS: Final = ("-Xms256M", "-Xmx2G", "-server", "-XX:+UseG1GC")
_LOGGING: Final = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


def peer(cache_dir: Path, build_dir: Path, progress: Callable[[str], None]) -> Peer:
    """The peer, compiled; raises UserError where its jars cannot be had."""
    jar_folder = jars.ensure(cache_dir, progress, JARS)
    _compile(jar_folder, build_dir)
    start = partial(_running, class_path=f"{jar_folder / '*'}:{build_dir}")
    return Peer(NAME, start, committed, read, len(traffic.segments()))


def read(result: Result) -> Segment:
    """A result of its: "first,last,count", by the record's key."""
    first_ms, last_ms, count = result.value.decode().split(",")
    conversation = (result.key or b"").decode().partition("\0")[2]
    return Segment(conversation, int(first_ms), int(last_ms), int(count))


def _compile(jar_folder: Path, build_dir: Path) -> None:
    class_path = ":".join(map(str, sorted(jar_folder.glob("*.jar"))))
    command = [find_java(), "-cp", class_path, _COMPILER, *_COMPILER_FLAGS]
    done = subprocess.run(
        [*command, "-cp", class_path, "-d", str(build_dir), str(SOURCE)],
        env=environment.minimal(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UserError(f"{SOURCE.name} does not compile: {done.stderr.strip()[-2_000:]}")


@contextmanager
def _running(job: Job, class_path: str) -> Iterator[Child]:
    file = child.write_properties(job.folder / "streams.properties", _properties(job))
    # RocksDB's library is unpacked into the folder for temporary files.
    folder = f"-Djava.io.tmpdir={job.folder}"
    command = [find_java(), *_JVM_FLAGS, _LOGGING, folder, "-cp", class_path, MAIN_CLASS, str(file)]
    with child.running(command, job.folder) as process:
        yield process


def _properties(job: Job) -> dict[str, str]:
    """Its defaults, but for what makes it faster or as durable as the sealer, once a second."""
    return {
        "application.id": job.group,
        "bootstrap.servers": job.settings.kafka_bootstrap,
        "state.dir": str(job.folder / "state"),
        "num.stream.threads": "1",
        "replication.factor": "1",
        "commit.interval.ms": "1000",
        "consumer.auto.offset.reset": "earliest",
        "consumer.max.poll.records": "5000",
        "consumer.max.partition.fetch.bytes": str(4 * 1024 * 1024),
        "input": job.input_topic,
        "output": job.output_topic,
        "gap.ms": str(traffic.GAP_MS),
        "grace.ms": str(traffic.GRACE_MS),
    }
