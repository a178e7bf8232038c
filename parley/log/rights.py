"""What each service may do at a secured Kafka, and the commands that give it exactly that."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from parley.settings import Settings
from parley.topics import Topic

READ: Final = ("Read", "Describe", "DescribeConfigs")
WRITE: Final = ("Write", "Describe")


@dataclass(frozen=True, slots=True)
class Rights:
    """The topics that a service reads and writes, and how its consumer groups' names begin.

    Who `describes_cluster` may ask the brokers how much room their disks have.
    """

    reads: tuple[Topic, ...]
    writes: tuple[Topic, ...] = ()
    group_prefix: str = ""
    describes_cluster: bool = False


RIGHTS: Final[Mapping[str, Rights]] = MappingProxyType(
    {
        "gateway": Rights(
            reads=(Topic.EVENTS, Topic.LIVE, Topic.CONFIG),
            writes=(Topic.EVENTS, Topic.LIVE),
        ),
        # It writes to the events what it refused, and what came by SQL.
        "persister": Rights(
            reads=(Topic.EVENTS, Topic.SEALS, Topic.ANALYSES, Topic.CONFIG),
            writes=(Topic.EVENTS, Topic.DEAD_LETTERS),
            group_prefix="parley-persister",
            describes_cluster=True,
        ),
        # Ticks are events.
        "sealer": Rights(
            reads=(Topic.EVENTS,),
            writes=(Topic.EVENTS, Topic.SEALS),
            group_prefix="parley-sealer",
        ),
        "analyzer": Rights(
            reads=(Topic.SEALS, Topic.ANALYSES, Topic.CONFIG),
            writes=(Topic.ANALYSES,),
            group_prefix="parley-analyzer",
        ),
        "activity": Rights(reads=(Topic.EVENTS,), group_prefix="parley-activity"),
    }
)


# There is one, and Kafka calls it so.
CLUSTER: Final = "kafka-cluster"


class Resource(StrEnum):
    """What a right is about; the words are those of Kafka's own command."""

    TOPIC = "topic"
    GROUP = "group"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Acl:
    """One principal may do one thing with a resource, or with all whose names begin so."""

    principal: str
    operation: str
    resource: Resource
    name: str
    is_prefix: bool = False


def acls(settings: Settings, principal_prefix: str = "parley-") -> Iterator[Acl]:
    """The access control lists of all services; each is the principal `User:PREFIXservice`."""
    for service, rights in RIGHTS.items():
        principal = f"User:{principal_prefix}{service}"
        for topic in Topic:
            operations = {
                *(READ if topic in rights.reads else ()),
                *(WRITE if topic in rights.writes else ()),
            }
            for operation in sorted(operations):
                yield Acl(principal, operation, Resource.TOPIC, settings.topic(topic))
        if rights.group_prefix:
            # The activity worker's group has the topics' prefix before its name.
            before = settings.topic_prefix if service == "activity" else ""
            group = f"{before}{rights.group_prefix}"
            yield Acl(principal, "Read", Resource.GROUP, group, is_prefix=True)
        if rights.describes_cluster:
            yield Acl(principal, "Describe", Resource.CLUSTER, CLUSTER)


def command_of(principal: str, granted: Iterable[Acl]) -> list[str]:
    """The arguments with which Kafka's own `kafka-acls.sh` gives rights to one resource."""
    rights = list(granted)
    first = rights[0]
    asked = [part for one in rights for part in ("--operation", one.operation)]
    pattern = ["--resource-pattern-type", "prefixed"] if first.is_prefix else []
    named = [] if first.resource is Resource.CLUSTER else [first.name]
    return [principal, *asked, f"--{first.resource}", *named, *pattern]
