"""Which signed tokens are believed, and what they say of who carries them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from parley import clock
from parley.config import AccessRole
from parley.errors import UserError
from services.gateway.access import Access
from services.gateway.access.registry import Registry
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from tests.unit.gateway.access import issuer
from tests.unit.gateway.access.issuer import SECRET, claims, token


def refusal(access: Access, text: str) -> str:
    with pytest.raises(Refused) as caught:
        access.identify(text)
    assert caught.value.code is Code.UNAUTHENTICATED
    return caught.value.message


@pytest.mark.parametrize("name", ["rsa", "ec", "ed"])
def test_a_token_says_who_carries_it(access: Access, name: str) -> None:
    expires_at = (clock.now() + timedelta(minutes=3)).replace(microsecond=0)
    who = access.identify(token(name, sub="backend", roles=["agent", "reader"], exp=expires_at))
    assert (who.tenant_id, who.subject, who.user_id) == ("acme", "backend", "backend")
    assert who.roles == {AccessRole.AGENT, AccessRole.READER}
    assert who.expires_at == expires_at + timedelta(seconds=5)


def test_the_user_is_who_the_token_names(access: Access) -> None:
    who = access.identify(token(sub="session-77", user_id="user-9"))
    assert (who.subject, who.user_id) == ("session-77", "user-9")


def test_roles_for_other_programs_are_none_here(access: Access) -> None:
    assert access.identify(token(roles=["admin", "user", "User"])).roles == {AccessRole.USER}
    assert access.identify(token(roles=None)).roles == frozenset()


def test_a_token_for_many_audiences_may_be_for_this_one_too(access: Access) -> None:
    assert access.identify(token(aud=["shop", issuer.AUDIENCE])).subject == "user-1"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"aud": "shop"}, "another audience"),
        ({"aud": None}, "a token needs aud"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": None}, "a token needs"),
        ({"exp": None}, "a token needs"),
        ({"sub": None}, "a token needs"),
        ({"exp": -timedelta(seconds=30)}, "has expired"),
        ({"nbf": timedelta(minutes=1)}, "not valid yet"),
        ({"iat": timedelta(minutes=1)}, "not valid yet"),
        ({"tenant": "closed"}, "the tenant is disabled"),
        ({"tenant": "nobody"}, "or nobody created it"),
        ({"tenant": None}, "the token's tenant must be"),
        ({"tenant": ["acme"]}, "the token's tenant must be"),
        ({"tenant": ""}, "the token's tenant must be"),
        ({"sub": "a\0b"}, "the token's sub must be"),
        ({"sub": "ä" * 257}, "the token's sub must be"),
        ({"sub": "\ud800"}, "cannot be read"),
        ({"user_id": 7}, "the token's user_id must be"),
        ({"roles": "user"}, "roles must be a list"),
        ({"roles": [1]}, "roles must be a list"),
        ({"exp": 10**15}, "cannot be read"),
    ],
)
def test_a_token_that_says_something_else_is_refused_with_the_reason(
    access: Access, changed: dict[str, Any], said: str
) -> None:
    # From the test's now: the tests are collected long before this one runs.
    now = clock.now()
    times = {name: now + one for name, one in changed.items() if isinstance(one, timedelta)}
    assert said in refusal(access, token(**{**changed, **times}))


def test_clocks_may_differ_by_the_leeway_and_no_more(access: Access) -> None:
    just_over = clock.now() - timedelta(seconds=2)
    assert access.identify(token(exp=just_over)).subject == "user-1"
    assert "expired" in refusal(access, token(exp=clock.now() - timedelta(seconds=7)))


def test_a_key_that_is_not_in_the_file_signs_nothing(access: Access) -> None:
    forged = jwt.encode(claims(), issuer.OTHER_RSA, "RS256", headers={"kid": "other"})
    assert "kid" in refusal(access, forged)
    in_anothers_name = jwt.encode(claims(), issuer.OTHER_RSA, "RS256", headers={"kid": "rsa"})
    assert "signature" in refusal(access, in_anothers_name)
    assert "kid" in refusal(access, jwt.encode(claims(), issuer.RSA, "RS256"))


def test_a_public_key_is_no_shared_secret(tmp_path: Path, registry: Registry) -> None:
    # The forgery by which a verifier that believes the header's algorithm is deceived. It is
    # refused even where HS256 is allowed, since only the secret may have signed that way.
    both = issuer.settings(
        tmp_path,
        gateway_jwt_secret=SecretStr(SECRET),
        gateway_jwt_algorithms=("RS256", "HS256"),
    )
    for access in (Access(issuer.settings(tmp_path), registry), Access(both, registry)):
        assert refusal(access, hs256(issuer.pem(issuer.RSA), kid="rsa"))


def hs256(secret: bytes, kid: str = "rsa") -> str:
    """Signed by hand: the library does not take a public key for a secret."""
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    unsigned = jwt.encode(claims(), SECRET, "HS256", headers=header).rpartition(".")[0]
    signer = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = jwt.utils.base64url_encode(signer.sign(unsigned.encode(), secret))
    return f"{unsigned}.{signature.decode()}"


def test_a_shared_secret_signs_where_it_is_set(tmp_path: Path, registry: Registry) -> None:
    only_secret = issuer.settings(
        tmp_path,
        gateway_jwks_file=None,
        gateway_jwt_secret=SecretStr(SECRET),
        gateway_jwt_algorithms=("HS256",),
    )
    access = Access(only_secret, registry)
    assert access.identify(hs256(SECRET.encode())).subject == "user-1"
    assert "signature" in refusal(access, hs256(SECRET[::-1].encode()))
    assert "not allowed" in refusal(access, token())


def test_a_key_signs_by_its_own_algorithm_only(tmp_path: Path, registry: Registry) -> None:
    settings = issuer.settings(tmp_path, gateway_jwt_algorithms=("RS256", "RS512", "ES256"))
    issuer.write_key_set(tmp_path, issuer.jwk("rsa", alg="RS512"), issuer.jwk("ec"))
    access = Access(settings, registry)
    assert "another algorithm" in refusal(access, token())
    strong = jwt.encode(claims(), issuer.RSA, "RS512", headers={"kid": "rsa"})
    assert access.identify(strong).subject == "user-1"
    assert "another algorithm" in refusal(access, token("rsa", {"kid": "ec"}))


def test_an_algorithm_that_is_not_in_the_settings_is_refused(
    tmp_path: Path, registry: Registry
) -> None:
    access = Access(issuer.settings(tmp_path, gateway_jwt_algorithms=("ES256",)), registry)
    assert "not allowed" in refusal(access, token("rsa"))
    assert access.identify(token("ec")).subject == "user-1"


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": issuer.jwk("rsa", issuer.OTHER_RSA)},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"deep": {"a": [1]}},
    ],
)
def test_a_key_that_a_token_brings_along_is_not_looked_at(
    access: Access, header: dict[str, Any]
) -> None:
    assert refusal(access, token(headers=header))
    assert access.identify(token(headers={"jku": "https://evil.example/"})).subject == "user-1"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"gateway_jwt_audience": ""}, "PARLEY_GATEWAY_JWT_AUDIENCE"),
        ({"gateway_jwt_issuer": ""}, "PARLEY_GATEWAY_JWT_ISSUER"),
        ({"gateway_jwt_algorithms": ("HS256",)}, "PARLEY_GATEWAY_JWT_SECRET"),
        ({"gateway_jwt_secret": SecretStr(SECRET)}, "PARLEY_GATEWAY_JWT_ALGORITHMS"),
        (
            {"gateway_jwt_secret": SecretStr("short"), "gateway_jwt_algorithms": ("HS256",)},
            "PARLEY_GATEWAY_JWT_SECRET is shorter",
        ),
    ],
)
def test_settings_that_would_believe_strangers_are_refused(
    tmp_path: Path, changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        Access(issuer.settings(tmp_path, **changed))


def test_without_keys_for_them_no_token_is_believed(registry: Registry) -> None:
    access = Access(GatewaySettings(gateway_access="on"), registry)
    assert "tokens are not set up" in refusal(access, token())


def test_algorithms_are_read_from_a_comma_separated_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_GATEWAY_JWT_ALGORITHMS", "ES256, EdDSA")
    assert GatewaySettings.load().gateway_jwt_algorithms == ("ES256", "EdDSA")
    monkeypatch.setenv("PARLEY_GATEWAY_JWT_ALGORITHMS", "none")
    with pytest.raises(UserError, match="PARLEY_GATEWAY_JWT_ALGORITHMS"):
        GatewaySettings.load()


def test_a_token_that_is_too_large_is_refused_however_well_it_is_signed(access: Access) -> None:
    assert access.identify(token(note="x" * 5_000)).subject == "user-1"
    assert "at most 8192 bytes" in refusal(access, token(note="x" * 6_000))
