"""A real Kafka that lets nobody in without TLS, a SCRAM login and a right."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from parley.local.kafka import KafkaProgram
from parley.local.server import Server
from parley.local.state import StateFile
from parley.settings import Settings
from tests.support.certificates import Certificates, make_certificates
from tests.support.processes import ROOT

ADMIN: Final = "admin"
MECHANISM: Final = "SCRAM-SHA-512"

_SECURED: Final = """\
listener.security.protocol.map=BROKER:SASL_SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={folder}/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location={certificates.authority}
sasl.enabled.mechanisms={mechanism}
sasl.mechanism.inter.broker.protocol={mechanism}
listener.name.broker.scram-sha-512.sasl.jaas.config={login}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin};User:ANONYMOUS
allow.everyone.if.no.acl.found=false
"""


def _password(name: str) -> str:
    return f"secret of {name}"


def _login(name: str) -> str:
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return f'{module} required username="{name}" password="{_password(name)}";'


class SecuredKafkaProgram(KafkaProgram):
    """The embedded broker, secured; `users` are all that it knows, beside its administrator."""

    def __init__(self, state_dir: Path, users: Iterable[str]) -> None:
        super().__init__(state_dir, ROOT / ".parley")
        self.certificates: Certificates = make_certificates(self.folder / "certificates")
        pem = self.certificates.key.read_text() + self.certificates.certificate.read_text()
        (self.folder / "keystore.pem").write_text(pem)
        self.format_options = tuple(
            part
            for name in (ADMIN, *users)
            for part in ("--add-scram", f'{MECHANISM}=[name="{name}",password="{_password(name)}"]')
        )

    def properties(self, data: Path, numbers: dict[str, int]) -> str:
        """The embedded broker's, with a lock on its door."""
        lines = super().properties(data, numbers).splitlines(keepends=True)
        plain = [one for one in lines if not one.startswith("listener.security.protocol.map")]
        secured = _SECURED.format(
            folder=self.folder,
            certificates=self.certificates,
            mechanism=MECHANISM,
            login=_login(ADMIN),
            admin=ADMIN,
        )
        return "".join(plain) + secured


class SecuredKafka:
    """A running broker, and how to come to it."""

    def __init__(self, program: SecuredKafkaProgram, port: int) -> None:
        self._program = program
        self._port = port

    def settings_for(self, name: str, settings: Settings) -> Settings:
        """The same settings, with which a client comes to this broker as somebody."""
        return settings.model_copy(
            update={
                "kafka_bootstrap": f"127.0.0.1:{self._port}",
                "kafka_security_protocol": "SASL_SSL",
                "kafka_sasl_mechanism": MECHANISM,
                "kafka_username": name,
                "kafka_password": SecretStr(_password(name)),
                "kafka_ca_file": self._program.certificates.authority,
            }
        )


@asynccontextmanager
async def secured_kafka(folder: Path, users: Iterable[str]) -> AsyncIterator[SecuredKafka]:
    """Start it in a folder of its own, and stop it at the end."""
    program = SecuredKafkaProgram(folder, users)
    server = Server(program, StateFile(folder / "stack.json"))
    try:
        await asyncio.to_thread(server.up, print)
        yield SecuredKafka(program, server.port)
    finally:
        await asyncio.to_thread(server.down)
