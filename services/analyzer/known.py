"""Which passes there are, and which this worker can run: what jobs name by their fingerprints."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from parley.passes.catalog import Catalog
from parley.passes.code import CodePass
from parley.passes.definition import PassDefinition, PassKind


class Passes(Protocol):
    """The passes that operators have applied and put in force."""

    @property
    def catalog(self) -> Catalog:
        """What is known of them so far."""

    async def catch_up(self) -> None:
        """Return once the catalog knows all that is in the log now."""


class KnownPasses(Protocol):
    """The versions of passes that this worker can run, whether new segments get them or not."""

    def definitions(self) -> Sequence[PassDefinition]:
        """All of them, as they are set now."""
        ...

    def code(self, fingerprint: str) -> CodePass:
        """The code of a definition of the kind `code`."""
        ...

    def resumed_at(self, name: str) -> datetime | None:
        """When an operator last said that the pass is to be tried again."""
        ...


class AppliedPasses:
    """What operators have applied, as far as this process has the code of it.

    A version that was applied under another fingerprint than this release computes is another's.
    """

    def __init__(self, catalog: Catalog, installed: Sequence[CodePass]) -> None:
        self._catalog = catalog
        self._codes = {one.definition.fingerprint: one for one in installed}

    def definitions(self) -> Sequence[PassDefinition]:
        """All versions, also those that are not in force any more: jobs may be left of them."""
        return list(self._definitions())

    def _definitions(self) -> Iterator[PassDefinition]:
        for name in self._catalog.names():
            for said in self._catalog.versions(name):
                applied = said.body
                fingerprint = applied.definition.fingerprint
                is_prompt = applied.definition.kind is PassKind.PROMPT
                if fingerprint == applied.fingerprint and (is_prompt or fingerprint in self._codes):
                    yield applied.definition

    def code(self, fingerprint: str) -> CodePass:
        """The code of a definition of the kind `code`."""
        return self._codes[fingerprint]

    def resumed_at(self, name: str) -> datetime | None:
        """As the log says it."""
        said = self._catalog.activation(name)
        return None if said is None else said.body.resumed_at


class FixedPasses:
    """Passes that stay as they are; `resumed` are those that are to be tried again."""

    def __init__(
        self,
        codes: Sequence[CodePass],
        prompts: Sequence[PassDefinition] = (),
        resumed: Mapping[str, datetime] | None = None,
    ) -> None:
        self._resumed = {} if resumed is None else resumed
        self._codes = {one.definition.fingerprint: one for one in codes}
        self._definitions = (*(one.definition for one in codes), *prompts)

    def definitions(self) -> Sequence[PassDefinition]:
        """Those that it was made of."""
        return self._definitions

    def code(self, fingerprint: str) -> CodePass:
        """The code of a definition of the kind `code`."""
        return self._codes[fingerprint]

    def resumed_at(self, name: str) -> datetime | None:
        """As it was said when it was made."""
        return self._resumed.get(name)
