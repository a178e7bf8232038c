"""Tells who somebody is by the token that they carry."""

import asyncio

import structlog

from parley import clock
from parley.api_keys import PREFIX, PresentedKey, parse_key
from services.gateway import metrics
from services.gateway.access.identity import Identity, anybody, known_roles
from services.gateway.access.jwts import JwtReader
from services.gateway.access.key_file import KeyFile
from services.gateway.access.registry import Registry
from services.gateway.access.tokens import BadToken, check_form
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)


class Access:
    """Access control, on or off by the settings; off, everybody may do everything.

    Tenants and keys are the registry's, which a ConfigTail keeps.
    """

    def __init__(self, settings: GatewaySettings, registry: Registry | None = None) -> None:
        """Raises UserError for settings, or a file of keys, that cannot be used."""
        self.is_on = settings.gateway_access == "on"
        self._anybody = anybody(settings.gateway_tenant)
        self._registry = registry or Registry()
        self._key_file: KeyFile | None = None
        self._jwts: JwtReader | None = None
        if self.is_on:
            self._believe_tokens(settings)

    def _believe_tokens(self, settings: GatewaySettings) -> None:
        """Without keys to check them by, no token is believed, and API keys are all there is."""
        if settings.gateway_jwks_file is not None:
            self._key_file = KeyFile(settings.gateway_jwks_file)
        if self._key_file is not None or settings.gateway_jwt_secret is not None:
            key_file = self._key_file
            self._jwts = JwtReader(settings, lambda: key_file.keys if key_file else {})

    async def run(self, stop: asyncio.Event) -> None:
        """Keep up with the file of keys, until `stop`."""
        if self._key_file is not None:
            await self._key_file.run(stop)
        await stop.wait()

    def identify(self, token: str | None) -> Identity:
        """Who carries the token; raises Refused (unauthenticated)."""
        if not self.is_on:
            return self._anybody
        try:
            return self._believe(token)
        except BadToken as error:
            metrics.ACCESS_REFUSED.labels(error.reason).inc()
            raise Refused(Code.UNAUTHENTICATED, error.message) from error

    def holds(self, identity: Identity) -> bool:
        """Whether what an open connection was opened with would still be taken.

        False once its key was revoked, its tenant disabled, or its time is over; cheap enough to
        be asked at every heartbeat.
        """
        if not self.is_on:
            return True
        if identity.expires_at is not None and identity.expires_at <= clock.now():
            return False
        is_known = not identity.key_id or self._registry.key(identity.key_id) is not None
        return is_known and self._registry.is_enabled(identity.tenant_id)

    def _believe(self, token: str | None) -> Identity:
        if not token:
            raise BadToken("missing", "this needs an API key or a token")
        check_form(token)
        identity = self._holder(token) if token.startswith(PREFIX) else self._bearer(token)
        if not self._registry.is_enabled(identity.tenant_id):
            raise BadToken("tenant", "the tenant is disabled, or nobody created it")
        return identity

    def _bearer(self, token: str) -> Identity:
        if self._jwts is None:
            raise BadToken("malformed", "this is no API key, and tokens are not set up here")
        return self._jwts.identify(token)

    def _holder(self, text: str) -> Identity:
        presented = parse_key(text)
        if presented is None:
            raise BadToken("malformed", "this is not a whole API key")
        return self._holder_of(presented)

    def _holder_of(self, presented: PresentedKey) -> Identity:
        owned = self._registry.key(presented.key_id)
        if owned is None or not presented.has_hash(owned.key.key_hash):
            raise BadToken("unknown_key", "the API key is not known, or was revoked")
        key = owned.key
        if key.is_expired(clock.now()):
            raise BadToken("expired", "the API key has expired")
        roles = known_roles(key.roles)
        return Identity(
            owned.tenant_id, key.subject, roles, key.subject, key.expires_at, key.key_id
        )
