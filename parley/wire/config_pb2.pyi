import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from parley.wire import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PassKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PASS_KIND_UNSPECIFIED: _ClassVar[PassKind]
    PASS_KIND_CODE: _ClassVar[PassKind]
    PASS_KIND_PROMPT: _ClassVar[PassKind]
PASS_KIND_UNSPECIFIED: PassKind
PASS_KIND_CODE: PassKind
PASS_KIND_PROMPT: PassKind

class Config(_message.Message):
    __slots__ = ("tenant_id", "changed_by", "changed_at", "tenant", "api_key", "pass_definition", "prompt", "gap_policy", "subscription", "pass_activation", "retention", "webhook")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGED_BY_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    PASS_DEFINITION_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    GAP_POLICY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PASS_ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_FIELD_NUMBER: _ClassVar[int]
    tenant_id: str
    changed_by: str
    changed_at: _timestamp_pb2.Timestamp
    tenant: Tenant
    api_key: ApiKey
    pass_definition: PassDefinition
    prompt: Prompt
    gap_policy: GapPolicy
    subscription: Subscription
    pass_activation: PassActivation
    retention: Retention
    webhook: Webhook
    def __init__(self, tenant_id: _Optional[str] = ..., changed_by: _Optional[str] = ..., changed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenant: _Optional[_Union[Tenant, _Mapping]] = ..., api_key: _Optional[_Union[ApiKey, _Mapping]] = ..., pass_definition: _Optional[_Union[PassDefinition, _Mapping]] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ..., gap_policy: _Optional[_Union[GapPolicy, _Mapping]] = ..., subscription: _Optional[_Union[Subscription, _Mapping]] = ..., pass_activation: _Optional[_Union[PassActivation, _Mapping]] = ..., retention: _Optional[_Union[Retention, _Mapping]] = ..., webhook: _Optional[_Union[Webhook, _Mapping]] = ...) -> None: ...

class Tenant(_message.Message):
    __slots__ = ("name", "display_name", "is_enabled")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    IS_ENABLED_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    is_enabled: bool
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., is_enabled: _Optional[bool] = ...) -> None: ...

class ApiKey(_message.Message):
    __slots__ = ("key_id", "key_hash", "subject", "roles", "expires_at", "revoked_at")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_HASH_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_FIELD_NUMBER: _ClassVar[int]
    key_id: str
    key_hash: bytes
    subject: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    expires_at: _timestamp_pb2.Timestamp
    revoked_at: _timestamp_pb2.Timestamp
    def __init__(self, key_id: _Optional[str] = ..., key_hash: _Optional[bytes] = ..., subject: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revoked_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PassDefinition(_message.Message):
    __slots__ = ("name", "version", "fingerprint", "kind", "category", "description", "priority", "definition_json")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_JSON_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    fingerprint: str
    kind: PassKind
    category: str
    description: str
    priority: int
    definition_json: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., fingerprint: _Optional[str] = ..., kind: _Optional[_Union[PassKind, str]] = ..., category: _Optional[str] = ..., description: _Optional[str] = ..., priority: _Optional[int] = ..., definition_json: _Optional[str] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("name", "version", "template")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    template: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., template: _Optional[str] = ...) -> None: ...

class GapPolicy(_message.Message):
    __slots__ = ("policy", "channel", "is_withdrawn")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    IS_WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    policy: _policy_pb2.Policy
    channel: str
    is_withdrawn: bool
    def __init__(self, policy: _Optional[_Union[_policy_pb2.Policy, _Mapping]] = ..., channel: _Optional[str] = ..., is_withdrawn: _Optional[bool] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("target", "is_category", "is_enabled")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    IS_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    IS_ENABLED_FIELD_NUMBER: _ClassVar[int]
    target: str
    is_category: bool
    is_enabled: bool
    def __init__(self, target: _Optional[str] = ..., is_category: _Optional[bool] = ..., is_enabled: _Optional[bool] = ...) -> None: ...

class PassActivation(_message.Message):
    __slots__ = ("name", "is_enabled", "versions", "resumed_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IS_ENABLED_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    RESUMED_AT_FIELD_NUMBER: _ClassVar[int]
    name: str
    is_enabled: bool
    versions: _containers.RepeatedCompositeFieldContainer[ActiveVersion]
    resumed_at: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., is_enabled: _Optional[bool] = ..., versions: _Optional[_Iterable[_Union[ActiveVersion, _Mapping]]] = ..., resumed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ActiveVersion(_message.Message):
    __slots__ = ("version", "activated_at", "since")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_AT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    version: int
    activated_at: _timestamp_pb2.Timestamp
    since: SealsPosition
    def __init__(self, version: _Optional[int] = ..., activated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., since: _Optional[_Union[SealsPosition, _Mapping]] = ...) -> None: ...

class SealsPosition(_message.Message):
    __slots__ = ("incarnation", "offsets")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    incarnation: str
    offsets: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, incarnation: _Optional[str] = ..., offsets: _Optional[_Iterable[int]] = ...) -> None: ...

class Retention(_message.Message):
    __slots__ = ("keep_days", "cutoff")
    KEEP_DAYS_FIELD_NUMBER: _ClassVar[int]
    CUTOFF_FIELD_NUMBER: _ClassVar[int]
    keep_days: int
    cutoff: _timestamp_pb2.Timestamp
    def __init__(self, keep_days: _Optional[int] = ..., cutoff: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Webhook(_message.Message):
    __slots__ = ("webhook_id", "url", "passes", "categories", "secret_version", "secret_check", "former_until", "is_live_only", "is_enabled", "is_removed")
    WEBHOOK_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    PASSES_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    SECRET_VERSION_FIELD_NUMBER: _ClassVar[int]
    SECRET_CHECK_FIELD_NUMBER: _ClassVar[int]
    FORMER_UNTIL_FIELD_NUMBER: _ClassVar[int]
    IS_LIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    IS_ENABLED_FIELD_NUMBER: _ClassVar[int]
    IS_REMOVED_FIELD_NUMBER: _ClassVar[int]
    webhook_id: str
    url: str
    passes: _containers.RepeatedScalarFieldContainer[str]
    categories: _containers.RepeatedScalarFieldContainer[str]
    secret_version: int
    secret_check: bytes
    former_until: _timestamp_pb2.Timestamp
    is_live_only: bool
    is_enabled: bool
    is_removed: bool
    def __init__(self, webhook_id: _Optional[str] = ..., url: _Optional[str] = ..., passes: _Optional[_Iterable[str]] = ..., categories: _Optional[_Iterable[str]] = ..., secret_version: _Optional[int] = ..., secret_check: _Optional[bytes] = ..., former_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_live_only: _Optional[bool] = ..., is_enabled: _Optional[bool] = ..., is_removed: _Optional[bool] = ...) -> None: ...
