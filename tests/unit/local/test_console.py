"""Lines of several services are told apart on one terminal."""

import io

from parley.local.console import Console


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _ClosedPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_lines_carry_a_padded_name() -> None:
    output = io.StringIO()
    console = Console(output, ["gateway", "persister"])
    console.write("gateway", "up")
    console.say("ready")
    assert output.getvalue() == "gateway   | up\nparley    | ready\n"


def test_a_terminal_gets_a_colour_per_service() -> None:
    output = _Terminal()
    console = Console(output, ["gateway", "sealer"])
    console.write("gateway", "up")
    console.write("sealer", "up")
    first, second = output.getvalue().splitlines()
    assert first == "\x1b[36mgateway |\x1b[0m up"
    assert second.startswith("\x1b[33msealer  |\x1b[0m")


def test_a_reader_that_went_away_stops_nothing() -> None:
    console = Console(_ClosedPipe(), ["gateway"])
    console.write("gateway", "one")
    console.write("gateway", "two")
