"""Errors that a person is meant to read: what is wrong, and what to do."""

from typing import Final

# The exit status of a service whose settings are wrong (sysexits.h): starting it again is no use.
WRONG_SETTINGS: Final = 78


class UserError(Exception):
    """Ends a command or a service's start with its message and exit status 1, no traceback."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy
