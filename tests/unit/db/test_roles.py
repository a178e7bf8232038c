"""The matrix of rights covers every table."""

from parley.db.roles import GRANTS, SERVICES, Role
from parley.db.rules import VIEWS
from parley.db.schema import metadata

# Only the owner of the tables sees who is who, and imports.
OWNERS = {"operations.logins", "operations.import_bookmarks"}
# What a database with these tables must never let people change.
PEOPLE = (Role.READER, Role.WRITER)


def test_every_table_is_somebodys() -> None:
    granted = {grant.table for grants in GRANTS.values() for grant in grants}
    assert granted == {*metadata.tables, *VIEWS} - OWNERS


def test_no_table_is_named_twice_for_a_role() -> None:
    for grants in GRANTS.values():
        tables = [grant.table for grant in grants]
        assert len(tables) == len(set(tables))


def test_people_write_to_no_table() -> None:
    assert {grant.letters for role in PEOPLE for grant in GRANTS[role]} == {"r"}


def test_only_the_persister_writes_messages() -> None:
    writers = {
        role
        for role, grants in GRANTS.items()
        for grant in grants
        if grant.table == "conversation_messages" and grant.letters != "r"
    }
    assert writers == {Role.PERSISTER}
    assert set(SERVICES) > writers
