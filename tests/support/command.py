"""Runs the `parley` command as a person would: a process of its own, in the tests' settings."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from parley.cli.app import app
from parley.settings import Settings
from tests.support.processes import ROOT, environment, start


class Command:
    """`parley` with a Settings' Kafka, topics and database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start it and return at once."""
        return start(
            "parley",
            *arguments,
            env=environment(self._settings, COLUMNS="200", **variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def start_as_child(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start it from nothing and as our own child: the kernel then tells us what it took."""
        return subprocess.Popen(
            [sys.executable, "-m", "parley", *arguments],
            env=environment(self._settings, COLUMNS="200"),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(
        self,
        *arguments: str,
        standard_input: bytes = b"",
        variables: Mapping[str, str] | None = None,
        timeout_s: float = 90,
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run it to the end."""
        process = self.start(*arguments, **(variables or {}))
        stdout, stderr = process.communicate(standard_input, timeout=timeout_s)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """What it prints with `-o json`; it must end with that status."""
        ended = self(*arguments, "-o", "json")
        assert ended.returncode == status, ended.stderr.decode()
        return orjson.loads(ended.stdout)


def said(ended: "subprocess.CompletedProcess[bytes]") -> str:
    """What it told the person, apart from its data."""
    return bytes(ended.stderr).decode(errors="replace").replace(os.linesep, "\n")


async def run_here(settings: Settings, *arguments: str, **variables: str) -> Result:
    """Run the command within this process, which spares its start; a UserError is its exception."""
    own = environment(settings, COLUMNS="200", **variables)
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env=own))


async def json_here(settings: Settings, *arguments: str) -> Any:
    """What it prints with `-o json`; it must succeed."""
    ended = await run_here(settings, *arguments, "-o", "json")
    assert ended.exit_code == 0, ended.output
    return orjson.loads(ended.stdout)
