"""Faults put into the code on purpose, each with the test that must notice it."""

from typing import Final

from tests.faults.mutations import analyzer, gateway, log, sealer
from tests.faults.mutations.mutation import Edit, Mutation, StaleMutation

__all__ = ["MUTATIONS", "Edit", "Mutation", "StaleMutation"]

MUTATIONS: Final = (
    *log.MUTATIONS,
    *gateway.MUTATIONS,
    *sealer.MUTATIONS,
    *analyzer.MUTATIONS,
)
