"""What passes need is loaded when one is first run, and nothing of it reaches for the network."""

import subprocess
import sys
from pathlib import Path

# Modules that are heavy (numpy and the model of languages) or could send something.
LATE = ("numpy", "py3langid", "yake", "networkx", "datafog")

SILENT = """
import socket, threading
def refuse(*_, **__):
    raise AssertionError("reached for the network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from services.analyzer.passes import SHIPPED
from tests.unit.analyzer.samples import text, user
said = text(user(0, "My name is Ada, mail ada@example.org or call +44 20 7946 0958, please."))
for one in SHIPPED:
    one.run(said)
print(threading.active_count())
"""


def run_python(code: str, **environment: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


def test_importing_the_analyzer_loads_no_library_that_only_a_pass_needs() -> None:
    code = f"import sys, services.analyzer.main; print([m for m in {LATE} if m in sys.modules])"
    assert run_python(code) == "[]"


def test_no_pass_reaches_for_the_network_although_datafog_were_told_to(tmp_path: Path) -> None:
    told = run_python(SILENT, DATAFOG_TELEMETRY="1", HOME=str(tmp_path))
    assert told == "1", "no thread was started that could send something later"
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_the_same_in_every_process() -> None:
    code = (
        "from parley.passes.code import to_json\n"
        "from services.analyzer.passes import SHIPPED\n"
        "from tests.unit.analyzer.passes.test_key_phrases import PRINTER\n"
        "from tests.unit.analyzer.samples import text\n"
        "print([to_json(one.run(text(*PRINTER))) for one in SHIPPED])"
    )
    outputs = {run_python(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "42")}
    assert len(outputs) == 1
