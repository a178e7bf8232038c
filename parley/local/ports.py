"""Chooses free loopback ports, and says who listens on one."""

import secrets
import socket
from collections.abc import Iterable

import psutil

from parley.errors import UserError

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections: a client that keeps trying to reach
# a server which is away could be given the server's own port, and then keep it from coming back.
_RANGE = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    """Return whether this process could listen on the loopback port now."""
    probe = _listen(port)
    if probe is None:
        return False
    probe.close()
    return True


def choose(preferred: Iterable[int | None]) -> list[int]:
    """Return one free port per entry: the preferred one where it is free, else another.

    All are held open until the last is chosen, so no two are the same. Raises UserError.
    """
    held: list[socket.socket] = []
    try:
        for port in preferred:
            probe = (_listen(port) if port else None) or _listen_somewhere()
            if probe is None:
                raise UserError("This machine has no free loopback port left.", "Stop a server.")
            held.append(probe)
        return [int(probe.getsockname()[1]) for probe in held]
    finally:
        for probe in held:
            probe.close()


def _listen_somewhere() -> socket.socket | None:
    for _ in range(_TRIES):
        probe = _listen(secrets.choice(_RANGE))
        if probe is not None:
            return probe
    return None


def _listen(port: int) -> socket.socket | None:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Servers set it too: a port whose old connections are still closing is free for them.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((LOOPBACK, port))
        # Only a listening socket keeps others, who set the same option, from the port.
        probe.listen(1)
    except OSError:
        probe.close()
        return None
    return probe


def is_listening(pid: int, port: int) -> bool:
    """Return whether that very process listens on the port.

    A successful connection would not tell: it may be somebody else's server.
    """
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in connections
    )


def describe_listener(port: int) -> str:
    """Return who listens on the port, for people: "process 123 (nginx)" or "another program"."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return "another program"
    for connection in connections:
        # An address is an empty tuple where a socket has none.
        address = connection.laddr
        if connection.status == psutil.CONN_LISTEN and address and address.port == port:
            return _describe(connection.pid)
    return "another program"


def _describe(pid: int | None) -> str:
    if pid is None:
        return "another program"
    try:
        return f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"process {pid}"
