"""A fault put into the code on purpose, and the test that must notice it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: `before` is in the file exactly once."""

    file: str
    before: str
    after: str

    def apply(self, root: Path) -> None:
        """Change the file below this folder; raises StaleMutation."""
        path = root / self.file
        text = path.read_text()
        if text.count(self.before) != 1:
            raise StaleMutation(f"{self.file} holds {text.count(self.before)} times {self.before}")
        path.write_text(text.replace(self.before, self.after))


@dataclass(frozen=True, slots=True)
class Mutation:
    """A fault put into the code, and the test that must notice it."""

    name: str
    edits: tuple[Edit, ...]
    test: str


class StaleMutation(Exception):
    """The code is another than the mutation was written for: write it anew."""
