"""The mutations fit the code as it is, so that `make mutations` breaks what it says."""

import shutil
from pathlib import Path

import pytest

from tests.faults.mutations import MUTATIONS, Edit, Mutation, StaleMutation
from tests.support.processes import ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_every_edit_of_a_mutation_changes_one_place_of_the_code(
    mutation: Mutation, tmp_path: Path
) -> None:
    for edit in mutation.edits:
        copy = tmp_path / edit.file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / edit.file, copy)
        edit.apply(tmp_path)
        assert copy.read_text() != (ROOT / edit.file).read_text()


@pytest.mark.parametrize("text", ["nothing of it", "before and once more before"])
def test_a_mutation_of_code_that_is_another_by_now_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "code.py").write_text(text)
    with pytest.raises(StaleMutation):
        Edit("code.py", "before", "after").apply(tmp_path)


def test_every_test_that_must_notice_is_there() -> None:
    for mutation in MUTATIONS:
        file, _, name = mutation.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(), mutation.test
