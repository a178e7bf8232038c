"""Asks for the definitions of the passes that are installed here.

That is the analyzer's to know, and this package never imports a service: it runs as a child.
"""

from asyncio.subprocess import PIPE, create_subprocess_exec
from typing import Final

from parley.codec.definitions import decode_definition
from parley.errors import UserError
from parley.local import environment
from parley.passes.definition import PassDefinition

MODULE: Final = "services.analyzer.shipped"


async def shipped_definitions() -> list[PassDefinition]:
    """The definitions; raises UserError where they cannot be loaded."""
    child = await create_subprocess_exec(
        *environment.python_module(MODULE), env=environment.for_child(), stdout=PIPE
    )
    output, _ = await child.communicate()
    if child.returncode != 0:
        raise UserError(
            "The passes that are installed could not be loaded.",
            "What is wrong with them is above. Correct or uninstall it, and run this again.",
        )
    return [decode_definition(line) for line in output.decode().splitlines()]
