"""Gives principals their rights at a secured Kafka, as its administrator.

aiokafka knows no access control lists; this is version 1 of the request (Kafka 2.0, KIP-290), over
the connections of its client.
"""

# The protocol classes of aiokafka have no types.
# mypy: disable-error-code="misc, import-untyped"

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import no_kafka
from parley.log.rights import Acl, Resource
from parley.settings import Settings

# Numbers of the protocol.
_RESOURCES: Final = {Resource.TOPIC: 2, Resource.GROUP: 3, Resource.CLUSTER: 4}
_OPERATIONS: Final = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
_LITERAL: Final = 3
_PREFIXED: Final = 4
_ALLOW: Final = 3
_ANY_HOST: Final = "*"


class _CreateAclsResponse(Response):
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(("error_code", Int16), ("error_message", String("utf-8")))),
    )


class _CreateAclsStruct(RequestStruct):
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = _CreateAclsResponse
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("resource_pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class _CreateAcls(Request[_CreateAclsStruct]):
    API_KEY: ClassVar[int] = 30

    def __init__(self, creations: Sequence[tuple[Any, ...]]) -> None:
        self._creations = creations

    def build(self, request_struct_class: type[_CreateAclsStruct]) -> _CreateAclsStruct:
        return request_struct_class(self._creations)


async def grant(settings: Settings, wanted: Sequence[Acl]) -> None:
    """Make all of them; those that are there stay. Raises UserError, with what Kafka said."""
    client = AIOKafkaClient(**kafka_options(settings), client_id="parley")
    try:
        await client.bootstrap()
        # A broker passes it on to the controller.
        node = client.get_random_node()
        answer = await client.send(node, _CreateAcls([_creation(one) for one in wanted]))
    except (KafkaError, OSError) as error:
        raise no_kafka(settings, error) from error
    finally:
        await client.close()
    for one, (code, message) in zip(wanted, answer.results, strict=True):
        if code:
            raise UserError(
                f"Kafka refused {one.operation} on {one.resource} {one.name} for {one.principal}: "
                f"{for_code(code).__name__} {message or ''}".rstrip()
                + ".",
                "Rights are given by an administrator of a Kafka that has an authorizer.",
            )


def _creation(acl: Acl) -> tuple[Any, ...]:
    return (
        _RESOURCES[acl.resource],
        acl.name,
        _PREFIXED if acl.is_prefix else _LITERAL,
        acl.principal,
        _ANY_HOST,
        _OPERATIONS[acl.operation],
        _ALLOW,
    )
