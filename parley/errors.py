"""Errors that a person is meant to read: what is wrong, and what to do."""


class UserError(Exception):
    """Ends a command or a service's start with its message and exit status 1, no traceback."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n{remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy
