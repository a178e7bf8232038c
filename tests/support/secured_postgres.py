"""A real PostgreSQL, in a container, that lets nobody in without TLS and a password."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest
from testcontainers.core.wait_strategies import ExecWaitStrategy

from tests.support.certificates import Certificates, make_certificates
from tests.support.processes import free_port
from tests.support.stacks import PASSWORD, POSTGRES_IMAGE, container_of, what_is_missing

# The socket is for the image's own start. For TCP there is no line without TLS.
_WHO_MAY_COME: Final = """\
local all all trust
hostssl all all all scram-sha-256
"""
# The server reads a key only where it is its user's own.
_START: Final = (
    "install -o postgres -m 600 /given/server.key /tmp/server.key && "
    "exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/given/server.pem "
    "-c ssl_key_file=/tmp/server.key -c hba_file=/given/pg_hba.conf"
)


@dataclass(frozen=True, slots=True)
class SecuredPostgres:
    """Where it is, and whose authority signed its certificate."""

    port: int
    certificates: Certificates

    def url(
        self,
        login: str = "parley",
        password: str = PASSWORD,
        host: str = "127.0.0.1",
        **options: str,
    ) -> str:
        """The address of its database for a login; by the way that docs/securing.md names."""
        chosen = {"sslmode": "verify-full", "sslrootcert": str(self.certificates.authority)}
        query = urlencode(chosen | options)
        return f"postgresql://{login}:{password}@{host}:{self.port}/parley?{query}"


@contextmanager
def secured_postgres(folder: Path) -> Iterator[SecuredPostgres]:
    """A server with a certificate of its own; where there can be no containers it is skipped."""
    missing = what_is_missing()
    if missing is not None:
        pytest.skip(f"PostgreSQL with TLS runs in a container, and {missing}")
    certificates = make_certificates(folder)
    (folder / "pg_hba.conf").write_text(_WHO_MAY_COME)
    # Its owner is whoever runs the test, and who reads it the image's user.
    folder.chmod(0o755)
    port = free_port()
    settings = {"POSTGRES_USER": "parley", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "parley"}
    ready = ExecWaitStrategy(["pg_isready", "-h", "127.0.0.1", "-U", "parley", "-d", "parley"])
    container = (
        container_of(POSTGRES_IMAGE, 5432, port, settings)
        .with_volume_mapping(str(folder), "/given", "ro")
        .with_kwargs(entrypoint=["sh", "-ec"])
        .with_command([_START])
        .waiting_for(ready)
    )
    with container:
        yield SecuredPostgres(port, certificates)
