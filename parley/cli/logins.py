"""`parley db roles` and `parley db logins`: who may do what in the database, and as whom."""

import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import asyncpg
import typer

from parley.cli import facts
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.db import roles
from parley.db.pool import Connection
from parley.db.roles import GRANTS, SERVICES, Login, Role
from parley.errors import UserError
from parley.settings import Settings

roles_app = typer.Typer(help="The database's roles and their rights.", no_args_is_help=True)
logins_app = typer.Typer(help="Who connects to the database, and as what.", no_args_is_help=True)

_MATRIX_COLUMNS: Final = ("table", *(role.value for role in Role))
_LOGIN_COLUMNS: Final = ("login", "role", "tenant", "user")

Name = Annotated[str, typer.Argument(help="The login's name.")]


@roles_app.command("apply")
def apply_roles(output: OutputOption = Output.TABLE) -> None:
    """Create the roles that are missing, and give each exactly its rights.

    They are groups: make logins that are members with `parley db logins create`. Must be run by
    the owner of the tables, who may create roles.

    Example: parley db roles apply
    """
    run(_apply(Settings.load()))
    print_rows(output, _matrix(), _MATRIX_COLUMNS)


@roles_app.command("show")
def show_roles(output: OutputOption = Output.TABLE) -> None:
    """Show which role may read (r), insert (i), update (u) and delete (d) what.

    Example: parley db roles show -o json
    """
    print_rows(output, _matrix(), _MATRIX_COLUMNS)


@logins_app.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option(help="What it may do.")],
    tenant: Annotated[str | None, typer.Option(help="A reader or writer sees its rows.")] = None,
    user: Annotated[str | None, typer.Option(help="And of them only this user's.")] = None,
    any_tenant: Annotated[
        bool, typer.Option("--any-tenant", help="It says itself for whom it asks, each time.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a login, and show its DATABASE_URL: this once, since only a hash is kept.

    Example: parley db logins create acme_reports --role reader --tenant acme
    """
    login = _checked(Login(name, role, tenant, user), any_tenant=any_tenant)
    password = secrets.token_hex(24)
    settings = Settings.load()
    run(_create(settings, login, password))
    url = _url(settings, name, password)
    if output is not Output.TABLE:
        print_rows(
            output, [{**_row(login), "database_url": url}], (*_LOGIN_COLUMNS, "database_url")
        )
        return
    # The address alone on stdout: `DATABASE_URL=$(parley db logins create …)`.
    typer.echo(url)
    say(f"It is shown this once. Take it away with `parley db logins drop {name}`.")


@logins_app.command("apply")
def apply_logins(output: OutputOption = Output.TABLE) -> None:
    """Make logins of services with passwords of your own, or give those that are there these.

    Stdin has one on each line: its name, its role, its password. Run again it changes nothing else;
    who is connected stays so.

    Example: echo "gateway gateway $PASSWORD" | parley db logins apply
    """
    wanted = [_parsed(line) for line in sys.stdin.read().splitlines() if line.strip()]
    if not wanted:
        raise UserError("Stdin names no login.", "Write NAME ROLE PASSWORD on a line for each.")
    made = run(_put(Settings.load(), wanted))
    print_rows(
        output,
        [{**_row(login), "made": "now" if login.name in made else "before"} for login, _ in wanted],
        (*_LOGIN_COLUMNS, "made"),
    )


@logins_app.command("list")
def list_logins(output: OutputOption = Output.TABLE) -> None:
    """Show every login that has one of Parley's roles.

    Example: parley db logins list
    """
    print_rows(output, [_row(one) for one in run(_logins(Settings.load()))], _LOGIN_COLUMNS)


@logins_app.command()
def drop(name: Name) -> None:
    """Drop a login; connections that it has open go on until they end.

    Example: parley db logins drop acme_reports
    """
    run(_drop(Settings.load(), name))
    say(f"{name} is gone.")


def _parsed(line: str) -> tuple[Login, str]:
    """A login and its password, which is never shown."""
    try:
        name, role, password = line.split()
        login = Login(name, next(one for one in SERVICES if one == role))
    except (ValueError, StopIteration) as error:
        raise UserError(
            f"The line of {line.split(maxsplit=1)[0]} is not understood.",
            f"Write NAME ROLE PASSWORD; the role is one of {', '.join(SERVICES)}.",
        ) from error
    if not password.isascii() or not password.isalnum():
        raise UserError(
            f"The password of {name} cannot be part of an address as it is.",
            "Take ASCII letters and digits, as `openssl rand -hex 24` makes them.",
        )
    return login, password


def _checked(login: Login, *, any_tenant: bool) -> Login:
    if login.role in SERVICES:
        if login.tenant_id or login.user_id or any_tenant:
            raise UserError(
                f"The {login.role} serves every tenant.",
                "Leave out --tenant, --user and --any-tenant.",
            )
        return login
    if bool(login.tenant_id) == any_tenant:
        raise UserError(
            f"Whose rows may {login.name} see?", "Give either --tenant NAME or --any-tenant."
        )
    if login.user_id and any_tenant:
        raise UserError("A user belongs to a tenant.", "Give --tenant with --user.")
    return login


async def _apply(settings: Settings) -> None:
    async with _transaction(settings) as connection:
        await roles.create(connection)


async def _create(settings: Settings, login: Login, password: str) -> None:
    async with _transaction(settings) as connection:
        try:
            await roles.create_login(connection, login, password)
        except asyncpg.DuplicateObjectError as error:
            raise UserError(
                f"There is a role {login.name} already.", "Choose another name."
            ) from error
        except asyncpg.UndefinedObjectError as error:
            raise _no_role(login) from error


async def _put(settings: Settings, wanted: list[tuple[Login, str]]) -> set[str]:
    """Returns the names of those that were not there before."""
    made = set()
    async with _transaction(settings) as connection:
        for login, password in wanted:
            try:
                if await roles.put_login(connection, login, password):
                    made.add(login.name)
            except ValueError as error:
                raise UserError(
                    f"There is a role {login.name} that is no login of the {login.role} alone.",
                    "Choose another name; `parley db logins list` shows whose it is.",
                ) from error
            except asyncpg.UndefinedObjectError as error:
                raise _no_role(login) from error
    return made


def _no_role(login: Login) -> UserError:
    return UserError(f"There is no role {login.role.pg_name} yet.", "Run `parley db roles apply`.")


async def _logins(settings: Settings) -> list[Login]:
    async with _transaction(settings) as connection:
        return await roles.logins(connection)


async def _drop(settings: Settings, name: str) -> None:
    async with _transaction(settings) as connection:
        if name not in {one.name for one in await roles.logins(connection)}:
            raise UserError(
                f"There is no login {name} of Parley's.", "See `parley db logins list`."
            )
        await roles.drop_login(connection, name)


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncIterator[Connection]:
    async with facts.connection_pool(settings) as pool, pool.acquire() as connection:
        try:
            async with connection.transaction():
                yield connection
        except asyncpg.InsufficientPrivilegeError as error:
            raise UserError(
                f"This login may not do that: {error}.",
                "Run it as the owner of Parley's tables, with the right to create roles.",
            ) from error


def _matrix() -> list[dict[str, Any]]:
    tables = dict.fromkeys(grant.table for grants in GRANTS.values() for grant in grants)
    letters = {
        (role, grant.table): grant.letters for role, grants in GRANTS.items() for grant in grants
    }
    return [
        {"table": table, **{role.value: letters.get((role, table), "") for role in Role}}
        for table in sorted(tables)
    ]


def _row(login: Login) -> dict[str, Any]:
    is_service = login.role in SERVICES
    return {
        "login": login.name,
        "role": login.role.value,
        "tenant": "all" if is_service else login.tenant_id or "the one it names",
        "user": login.user_id or "all",
    }


def _url(settings: Settings, name: str, password: str) -> str:
    """The address of the same database for the login."""
    own = urlsplit(settings.database_url.get_secret_value())
    place = own.netloc.rpartition("@")[2]
    return own._replace(netloc=f"{quote(name, safe='')}:{password}@{place}").geturl()
