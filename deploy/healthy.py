"""Says by its exit status whether the service of this container is ready; reads nothing else.

With sockets alone: the engine runs it every few seconds in every container.
"""

import os
import socket
import sys

TIMEOUT_S = 2.5


def main() -> None:
    """Exit 0 when /readyz answers 200."""
    port = int(os.environ.get("PARLEY_HTTP_PORT", "8080"))
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = connection.makefile("rb").readline()
    sys.exit(0 if answer.split()[1:2] == [b"200"] else answer.decode("latin-1"))


if __name__ == "__main__":
    main()
