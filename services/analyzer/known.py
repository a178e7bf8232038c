"""Which passes this worker can run: what jobs name by their fingerprints."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from parley.passes.catalog import Catalog
from parley.passes.code import CodePass
from parley.passes.definition import PassDefinition, PassKind


class KnownPasses(Protocol):
    """The versions of passes that this worker can run, whether new segments get them or not."""

    def definitions(self) -> Sequence[PassDefinition]:
        """All of them, as they are set now."""
        ...

    def code(self, fingerprint: str) -> CodePass:
        """The code of a definition of the kind `code`."""
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


class FixedPasses:
    """Passes that stay as they are."""

    def __init__(self, codes: Sequence[CodePass], prompts: Sequence[PassDefinition] = ()) -> None:
        self._codes = {one.definition.fingerprint: one for one in codes}
        self._definitions = (*(one.definition for one in codes), *prompts)

    def definitions(self) -> Sequence[PassDefinition]:
        """Those that it was made of."""
        return self._definitions

    def code(self, fingerprint: str) -> CodePass:
        """The code of a definition of the kind `code`."""
        return self._codes[fingerprint]
