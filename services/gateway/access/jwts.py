"""Reads signed tokens (JWT): fixed signatures, known keys, and claims that are meant for us."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import jwt

from parley.codec.validity import MAX_ID_BYTES
from parley.errors import UserError
from services.gateway.access.identity import Identity, known_roles
from services.gateway.access.key_sets import KeySet
from services.gateway.access.tokens import BadToken
from services.gateway.settings import GatewaySettings

SHARED_SECRET: Final = "HS256"  # noqa: S105 - the name of an algorithm
MIN_SECRET_BYTES: Final = 32
REQUIRED: Final = ("aud", "exp", "iss", "sub")

_MALFORMED: Final = "this is neither an API key nor a token"
# The first that fits; all others are malformed tokens.
_REASONS: Final[tuple[tuple[type[jwt.PyJWTError], str, str], ...]] = (
    (jwt.ExpiredSignatureError, "expired", "the token has expired"),
    (jwt.ImmatureSignatureError, "not_yet", "the token is not valid yet"),
    (jwt.InvalidAudienceError, "audience", "the token is for another audience"),
    (jwt.InvalidIssuerError, "issuer", "the token has another issuer"),
    (jwt.MissingRequiredClaimError, "claims", f"a token needs {', '.join(REQUIRED)}"),
    (jwt.exceptions.InvalidSubjectError, "claims", "the token's sub must be a text"),
    (jwt.InvalidSignatureError, "signature", "the token's signature is wrong"),
)


class JwtReader:
    """Tells who a token was signed for; `keys` is asked anew for each one."""

    def __init__(self, settings: GatewaySettings, keys: Callable[[], KeySet]) -> None:
        """Raises UserError for settings under which no token could be believed."""
        _check(settings)
        self._keys = keys
        self._algorithms = frozenset(settings.gateway_jwt_algorithms)
        secret = settings.gateway_jwt_secret
        self._secret = secret.get_secret_value().encode() if secret else b""
        self._audience = settings.gateway_jwt_audience
        self._issuer = settings.gateway_jwt_issuer
        self._leeway = settings.gateway_jwt_leeway

    def identify(self, token: str) -> Identity:
        """Who the token was signed for; raises BadToken."""
        try:
            claims = self._claims(token)
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC) + self._leeway
            return _identity(claims, expires_at)
        except jwt.PyJWTError as error:
            raise _bad_token(error) from error
        except (ValueError, TypeError, OverflowError, OSError, RecursionError) as error:
            # Signed, and yet beyond what dates, nesting or characters can be.
            raise BadToken("claims", "the token's claims cannot be read") from error

    def _claims(self, token: str) -> Mapping[str, Any]:
        algorithm, key = self._key_for(token)
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": list(REQUIRED)},
        )

    def _key_for(self, token: str) -> tuple[str, Any]:
        """The algorithm, and the only key that may have signed with it.

        What the header says chooses among our own keys and algorithms; nothing of it is fetched,
        opened or computed with.
        """
        header = jwt.get_unverified_header(token)
        # Extensions that would have to be understood, and keys that a token brings along.
        if not all(isinstance(value, str) for value in header.values()):
            raise BadToken("header", "the token's header holds what is not supported")
        algorithm = header.get("alg")
        if algorithm not in self._algorithms:
            raise BadToken("algorithm", "the token's algorithm is not allowed")
        if algorithm == SHARED_SECRET:
            return algorithm, self._secret
        known = self._keys().get(header.get("kid", ""))
        if known is None:
            raise BadToken("kid", "the token's key (kid) is not known")
        if algorithm not in known.algorithms:
            raise BadToken("algorithm", "the token's key is for another algorithm")
        return algorithm, known.key


def _check(settings: GatewaySettings) -> None:
    has_secret = settings.gateway_jwt_secret is not None
    if has_secret != (SHARED_SECRET in settings.gateway_jwt_algorithms):
        raise UserError(
            "PARLEY_GATEWAY_JWT_SECRET and HS256 go together.",
            "Set both PARLEY_GATEWAY_JWT_SECRET and HS256 in PARLEY_GATEWAY_JWT_ALGORITHMS, "
            "or neither.",
        )
    secret = settings.gateway_jwt_secret
    if secret is not None and len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
        raise UserError(
            f"PARLEY_GATEWAY_JWT_SECRET is shorter than {MIN_SECRET_BYTES} bytes.",
            "Make one with `openssl rand -hex 32`.",
        )
    for name, value in (
        ("PARLEY_GATEWAY_JWT_AUDIENCE", settings.gateway_jwt_audience),
        ("PARLEY_GATEWAY_JWT_ISSUER", settings.gateway_jwt_issuer),
    ):
        if not value:
            raise UserError(
                f"{name} is not set.",
                "Tokens made for others would be believed: set it to what your tokens say.",
            )


def _bad_token(error: jwt.PyJWTError) -> BadToken:
    for kind, reason, message in _REASONS:
        if isinstance(error, kind):
            return BadToken(reason, message)
    return BadToken("malformed", _MALFORMED)


def _identity(claims: Mapping[str, Any], expires_at: datetime) -> Identity:
    subject = _name(claims, "sub")
    return Identity(
        tenant_id=_name(claims, "tenant"),
        subject=subject,
        roles=known_roles(_texts(claims, "roles")),
        user_id=_name(claims, "user_id") if "user_id" in claims else subject,
        expires_at=expires_at,
    )


def _name(claims: Mapping[str, Any], claim: str) -> str:
    """A claim that events will carry, by their rule; raises UnicodeEncodeError for half characters.

    JSON can escape half of a character, which UTF-8 cannot hold.
    """
    text = claims.get(claim)
    if isinstance(text, str) and text and "\0" not in text and len(text.encode()) <= MAX_ID_BYTES:
        return text
    raise BadToken("claims", f"the token's {claim} must be a text of 1 to {MAX_ID_BYTES} bytes")


def _texts(claims: Mapping[str, Any], claim: str) -> list[str]:
    value = claims.get(claim, [])
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise BadToken("claims", f"the token's {claim} must be a list of texts")
