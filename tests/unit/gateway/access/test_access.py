"""Who API keys and tokens belong to, and until when."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from parley import clock
from parley.api_keys import PresentedKey, make_key
from parley.config import (
    AccessRole,
    ApiKey,
    ConfigChange,
    ConfigFull,
    ConfigKey,
    ConfigKind,
    Tenant,
)
from services.gateway.access import Access
from services.gateway.access.registry import Registry
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from tests.unit.gateway.access import issuer


def add(registry: Registry, tenant: str = "acme", **fields: object) -> tuple[PresentedKey, ApiKey]:
    """A key that the registry knows."""
    made = make_key()
    whole = {"subject": "shop-backend", "roles": ("agent",), **fields}
    key = ApiKey(made.key_id, made.key_hash, **whole)  # type: ignore[arg-type]
    put(registry, tenant, key)
    return made, key


def put(registry: Registry, tenant: str, body: ApiKey | Tenant) -> None:
    registry.apply(ConfigChange(tenant, "test", clock.now(), body))


def refusal(access: Access, token: str | None) -> str:
    with pytest.raises(Refused) as caught:
        access.identify(token)
    assert caught.value.code is Code.UNAUTHENTICATED
    return caught.value.message


def refused_count(reason: str) -> float:
    sample = "parley_gateway_access_refused_total"
    return REGISTRY.get_sample_value(sample, {"reason": reason}) or 0.0


def test_a_key_says_who_carries_it(access: Access, registry: Registry) -> None:
    expires_at = clock.now() + timedelta(days=1)
    made, _ = add(registry, roles=("agent", "a-role-of-tomorrow"), expires_at=expires_at)
    who = access.identify(made.text)
    assert (who.tenant_id, who.subject, who.key_id) == ("acme", "shop-backend", made.key_id)
    assert who.roles == {AccessRole.AGENT}
    assert who.expires_at == expires_at
    assert access.holds(who)


def test_a_key_with_another_secret_is_as_unknown_as_any(access: Access, registry: Registry) -> None:
    made, _ = add(registry)
    guessed = PresentedKey(made.key_id, bytes(32))
    assert refusal(access, guessed.text) == refusal(access, make_key().text)


def test_half_a_key_is_none(access: Access, registry: Registry) -> None:
    made, _ = add(registry)
    for text in (made.text[:-1], made.text.upper().replace("PARLEY", "parley"), "parley_"):
        assert "whole API key" in refusal(access, text)


def test_a_revoked_key_is_refused_and_its_connections_do_not_hold(
    access: Access, registry: Registry
) -> None:
    made, key = add(registry)
    who = access.identify(made.text)
    put(registry, "acme", replace(key, revoked_at=clock.now()))
    assert "revoked" in refusal(access, made.text)
    assert not access.holds(who)


def test_an_expired_key_is_refused(access: Access, registry: Registry) -> None:
    made, key = add(registry, expires_at=clock.now() + timedelta(hours=1))
    who = access.identify(made.text)
    put(registry, "acme", replace(key, expires_at=clock.now()))
    assert "expired" in refusal(access, made.text)
    assert not access.holds(replace(who, expires_at=clock.now()))


def test_a_disabled_tenants_keys_and_tokens_are_refused_until_it_is_enabled(
    access: Access, registry: Registry
) -> None:
    made, _ = add(registry)
    by_key, by_token = access.identify(made.text), access.identify(issuer.token())
    put(registry, "acme", Tenant("acme", is_enabled=False))
    assert "disabled" in refusal(access, made.text)
    assert "disabled" in refusal(access, issuer.token())
    assert not access.holds(by_key)
    assert not access.holds(by_token)
    put(registry, "acme", Tenant("acme"))
    assert access.identify(made.text) == by_key
    assert access.holds(by_token)


def test_a_tenant_that_nobody_created_is_refused(access: Access, registry: Registry) -> None:
    made, _ = add(registry, tenant="nobody")
    assert "nobody created it" in refusal(access, made.text)


def test_what_was_deleted_is_refused(access: Access, registry: Registry) -> None:
    made, _ = add(registry)
    registry.forget(ConfigKey(ConfigKind.API_KEY, "another-tenant", made.key_id))
    assert access.identify(made.text)
    registry.forget(ConfigKey(ConfigKind.API_KEY, "acme", made.key_id))
    assert refusal(access, made.text)


def test_past_the_bound_new_keys_are_refused_and_known_ones_can_still_be_revoked() -> None:
    registry = Registry(max_tenants=1, max_keys=1)
    put(registry, "acme", Tenant("acme"))
    with pytest.raises(ConfigFull):
        put(registry, "other", Tenant("other"))
    _, key = add(registry)
    with pytest.raises(ConfigFull):
        add(registry)
    put(registry, "acme", replace(key, subject="renamed"))
    put(registry, "acme", Tenant("acme", is_enabled=False))
    put(registry, "acme", replace(key, revoked_at=clock.now()))
    assert registry.key(key.key_id) is None
    # The revoked one takes no room.
    add(registry)


def test_nothing_is_no_token(access: Access) -> None:
    before = refused_count("missing")
    for nothing in (None, ""):
        assert "needs an API key or a token" in refusal(access, nothing)
    assert refused_count("missing") == before + 2


def test_off_everybody_is_anybody(tmp_path: Path) -> None:
    access = Access(GatewaySettings(gateway_tenant="mine"))
    for token in (None, "", "nonsense"):
        who = access.identify(token)
        assert who.tenant_id == "mine"
        assert access.holds(who)
