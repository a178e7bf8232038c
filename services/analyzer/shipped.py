"""Prints the definitions of the passes whose code is installed here, a line of JSON each.

`parley passes apply --shipped` reads them: what is applied is then what a worker will have.
"""

import sys
from contextlib import redirect_stdout

from parley.codec.definitions import encode_definition
from services.analyzer.passes import SHIPPED, load_installed


def main() -> None:
    """Be the process `python -m services.analyzer.shipped`."""
    # What a package prints while it is imported, or the log says of a broken one, is no definition.
    with redirect_stdout(sys.stderr):
        installed = load_installed(SHIPPED)
    for one in installed.passes:
        sys.stdout.write(f"{encode_definition(one.definition)}\n")


if __name__ == "__main__":
    main()
