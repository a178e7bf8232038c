"""The peer: Debezium's JDBC sink in a standalone Connect worker, as a process of its own."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson

from benchmarks.sink.messages import Message
from parley.local import environment, jars
from parley.local.jars import JarSet
from parley.local.kafka import find_java
from parley.settings import Settings
from tests.support.processes import free_port

VERSION: Final = "3.6.0.Final"
JARS: Final = JarSet(
    "Debezium", Path(__file__).with_name("debezium-jars.lock"), "debezium-jars", 66
)

# What Kafka's own connect-standalone.sh gives its worker.
_JVM_FLAGS: Final = (
    "-Xms256M",
    "-Xmx2G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
)
_LOGGING: Final = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
"""
_TYPES: Final = {int: "int64", str: "string"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to set it up, of those that its documentation names as fast."""

    name: str
    batch_records: int
    settings: Mapping[str, str]


VARIANTS: Final = (
    Variant(
        "Debezium, unnest, 5,000 a batch",
        5_000,
        {"dialect.postgres.unnest.insert.enabled": "true"},
    ),
    Variant("Debezium, reduction buffer, 5,000 a batch", 5_000, {"use.reduction.buffer": "true"}),
)


def ensure(cache_dir: Path, progress: Callable[[str], None]) -> Path:
    """The folder of its jars; raises UserError where they cannot be had."""
    return jars.ensure(cache_dir, progress, JARS)


@contextmanager
def running(
    variant: Variant, settings: Settings, topic: str, table: str, folder: Path, jar_folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker with one task that fills the table from the topic, from its start."""
    folder.mkdir(parents=True, exist_ok=True)
    worker = _write(folder / "worker.properties", _worker(settings, folder))
    connector = _write(
        folder / "connector.properties", _connector(variant, settings, topic, table, folder.name)
    )
    (folder / "log4j2.properties").write_text(_LOGGING)
    command = [
        find_java(),
        *_JVM_FLAGS,
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        "-cp",
        str(jar_folder / "*"),
        "org.apache.kafka.connect.cli.ConnectStandalone",
        str(worker),
        str(connector),
    ]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment.minimal(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _worker(settings: Settings, folder: Path) -> dict[str, str]:
    return {
        "bootstrap.servers": settings.kafka_bootstrap,
        "key.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        # The schema is told once instead of with every record: half the bytes to parse.
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": _schema(),
        "offset.storage.file.filename": str(folder / "offsets"),
        "listeners": f"http://127.0.0.1:{free_port()}",
        # Its classes are on the class path: nothing is searched for.
        "plugin.discovery": "service_load",
    }


def _schema() -> str:
    fields = [
        {"field": name, "type": _TYPES[kind], "optional": False}
        for name, kind in Message.__annotations__.items()
    ]
    return orjson.dumps({"type": "struct", "fields": fields}).decode()


def _connector(
    variant: Variant, settings: Settings, topic: str, table: str, name: str
) -> dict[str, str]:
    url = urlsplit(settings.database_url.get_secret_value())
    return {
        "name": name,
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",
        "topics": topic,
        "connection.url": f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}",
        "connection.username": url.username or "",
        "connection.password": url.password or "",
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "id",
        "schema.evolution": "none",
        "collection.name.format": table,
        "batch.size": str(variant.batch_records),
        # A batch is never larger than one poll; and the broker gives no more than these bytes.
        "consumer.override.max.poll.records": str(variant.batch_records),
        "consumer.override.max.partition.fetch.bytes": str(4 * 1024 * 1024),
        **variant.settings,
    }


def _write(path: Path, properties: Mapping[str, str]) -> Path:
    # The file holds the database's password.
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path
