"""Prepares a process (session, parent's death, user) and then becomes the given command.

It runs as a script of its own, since threads make `preexec_fn` unsafe:
`python -I -S launcher.py [--new-session] [--die-with PID] [--as-user UID GID] -- COMMAND…`.
It imports nothing of Parley, so that it starts in a few milliseconds.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapabilityData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def die_with(parent_pid: int) -> None:
    """Ask Linux to kill this process when its parent dies, however the parent dies."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call above: then nobody would ever be told.
    if os.getppid() != parent_pid:
        sys.exit(1)


def become(uid: int, gid: int) -> None:
    """Give up root, which PostgreSQL refuses, but keep root's way through the folders.

    A checkout often lies below a folder that only root may enter. Keeping two file
    capabilities opens the way without changing the permissions of folders that are not ours.
    """
    libc = ctypes.CDLL(None)
    if sys.platform == "linux":
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if sys.platform == "linux":
        _keep_file_capabilities(libc)


def _keep_file_capabilities(libc: ctypes.CDLL) -> None:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    data = (_CapabilityData * 2)()
    libc.capget(ctypes.byref(header), data)
    # What a container took away cannot be kept: then the folders must be open to all.
    kept = data[0].permitted & (1 << _CAP_DAC_OVERRIDE | 1 << _CAP_DAC_READ_SEARCH)
    data[0].effective = data[0].permitted = data[0].inheritable = kept
    data[1].effective = data[1].permitted = data[1].inheritable = 0
    libc.capset(ctypes.byref(header), data)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if kept & 1 << capability:
            libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def main(arguments: list[str]) -> None:
    """Obey the options in their order, then exec the command after `--`."""
    options, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    while options:
        match options:
            case ["--new-session", *options]:
                os.setsid()
            case ["--as-user", uid, gid, *options]:
                become(int(uid), int(gid))
            case ["--die-with", pid, *options]:
                # Changing the user clears the request, so this option comes last.
                die_with(int(pid))
            case _:
                sys.exit(f"launcher: unknown option {options[0]}")
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
