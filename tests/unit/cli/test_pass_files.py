"""The files of passes that a command is given are looked at before anything is asked for."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from parley.cli.passes import applying, comparing
from parley.errors import UserError
from parley.settings import Settings

NO_KAFKA = Settings(kafka_bootstrap="127.0.0.1:1")


@pytest.mark.parametrize("work", [applying._apply, comparing._compare])
async def test_a_file_that_is_not_there_is_known_without_kafka(
    work: Callable[..., Awaitable[Any]],
) -> None:
    with pytest.raises(UserError, match=r"/nowhere.yaml cannot be read"):
        await work(NO_KAFKA, [Path("/nowhere.yaml")], shipped=False)


@pytest.mark.parametrize("work", [applying._apply, comparing._compare])
async def test_without_files_and_shipped_nothing_is_asked_for(
    work: Callable[..., Awaitable[Any]],
) -> None:
    with pytest.raises(UserError, match="Name the files of passes"):
        await work(NO_KAFKA, None, shipped=False)
