"""Writes a revision from what the tables' metadata and the newest revision differ in.

`python -m parley.db.migrations.write "what changes"` makes a new revision;
`python -m parley.db.migrations.write --initial` writes the first one anew, which is allowed only
until somebody has it in a database. Both need DATABASE_URL, or the stack of `parley local up`:
a database of their own is made there, brought to the newest revision, compared, and dropped.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
from alembic import command
from alembic.operations.ops import ExecuteSQLOp, MigrationScript
from pydantic import SecretStr
from sqlalchemy import Connection

from parley.db import migrations
from parley.db.schema.base import OPERATIONS
from parley.ids import random_id
from parley.settings import Settings

VERSIONS: Final = migrations.FOLDER / "versions"
_INITIAL: Final = "the tables of the first release"


def main() -> None:
    """Write the revision that the arguments ask for."""
    if sys.argv[1:] == ["--initial"]:
        asyncio.run(write(Settings.load(), _INITIAL, "initial", is_first=True))
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):  # noqa: PLR2004 - one argument
        asyncio.run(write(Settings.load(), sys.argv[1], sys.argv[1]))
    else:
        sys.exit(__doc__)


async def write(settings: Settings, message: str, slug: str, *, is_first: bool = False) -> None:
    """Write the next revision, or all of them anew as one; a person reads it before a commit."""
    known = sorted(VERSIONS.glob("[0-9]*.py"))
    number = "0001" if is_first else f"{len(known) + 1:04}"
    name = f"parley_write_{random_id().replace('-', '')[:12]}"
    url = settings.database_url.get_secret_value()
    own = settings.model_copy(
        update={"database_url": SecretStr(urlsplit(url)._replace(path=f"/{name}").geturl())}
    )
    await _execute(url, f"CREATE DATABASE {name}")
    try:
        if is_first:
            for file in known:
                file.unlink()
        else:
            await migrations.upgrade(own)
        await _compare(own, number, message, is_first=is_first)
    finally:
        await _execute(url, f"DROP DATABASE {name} WITH (FORCE)")
    _tidy(VERSIONS / f"{number}_.py", VERSIONS / f"{number}_{_slug(slug)}.py")


async def _compare(settings: Settings, number: str, message: str, *, is_first: bool) -> None:
    def run(link: Connection) -> None:
        config = migrations.config_for(link)
        config.set_main_option("file_template", "%%(rev)s_")
        command.revision(
            config,
            f"{message.capitalize()}.",
            autogenerate=True,
            rev_id=number,
            process_revision_directives=_with_schemas if is_first else None,
        )

    async with migrations.connection(settings) as link:
        await link.run_sync(run)


def _with_schemas(_: object, __: object, directives: list[MigrationScript]) -> None:
    """Alembic sees tables, and not the schema that they are in."""
    upgrade, downgrade = directives[0].upgrade_ops, directives[0].downgrade_ops
    if upgrade is not None and downgrade is not None:
        upgrade.ops.insert(0, ExecuteSQLOp(f"CREATE SCHEMA IF NOT EXISTS {OPERATIONS}"))
        downgrade.ops.append(ExecuteSQLOp(f"DROP SCHEMA {OPERATIONS}"))


def _tidy(written: Path, final: Path) -> None:
    written.rename(final)
    for words in (("check", "--fix", "--exit-zero"), ("format",)):
        subprocess.run([sys.executable, "-m", "ruff", *words, "--silent", str(final)], check=True)
    print(final)  # noqa: T201 - the answer


def _slug(text: str) -> str:
    return "_".join("".join(one if one.isalnum() else " " for one in text.lower()).split())


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
