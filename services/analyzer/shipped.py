"""Prints the definitions of the passes whose code is installed here, a line of JSON each.

`parley passes apply --shipped` reads them: what is applied is then what a worker will have.
"""

import sys

from parley.codec.definitions import encode_definition
from services.analyzer.passes import SHIPPED, load_installed


def main() -> None:
    """Be the process `python -m services.analyzer.shipped`."""
    for one in load_installed(SHIPPED).passes:
        sys.stdout.write(f"{encode_definition(one.definition)}\n")


if __name__ == "__main__":
    main()
