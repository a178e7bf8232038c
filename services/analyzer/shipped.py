"""Prints the definitions of the passes that are installed here, a line of JSON each.

Code that is installed, and the prompts that Parley ships: these are run for tenants that ask for
them only.

`parley passes apply --shipped` reads them: what is applied is then what a worker will have.
"""

import sys
from contextlib import redirect_stdout

from parley.codec.definitions import encode_definition
from services.analyzer.passes import SHIPPED, load_installed
from services.analyzer.passes.prompts import shipped_prompts


def main() -> None:
    """Be the process `python -m services.analyzer.shipped`."""
    # What a package prints while it is imported, or the log says of a broken one, is no definition.
    with redirect_stdout(sys.stderr):
        installed = load_installed(SHIPPED)
    code = [one.definition for one in installed.passes]
    for definition in (*code, *shipped_prompts()):
        sys.stdout.write(f"{encode_definition(definition)}\n")


if __name__ == "__main__":
    main()
