"""The programs that the documentation shows do what it says."""

import asyncio
import re
import signal
import sys
from pathlib import Path

from tests.support.processes import ROOT
from tests.support.wait import eventually
from tests.unit.client.gateways import Gateway

DOCUMENT = ROOT / "docs" / "integrating-an-agent.md"


def program(number: int, gateway: Gateway, folder: Path) -> str:
    found = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    text = str(found[number]).replace("http://127.0.0.1:8080", gateway.url)
    return text.replace("/var/lib/agent/spool", str(folder / "spool"))


def files(folder: Path) -> list[Path]:
    return list(folder.glob("spool/*"))


async def start(text: str, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        text,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )


async def test_the_ten_lines_record_a_conversation(gateway: Gateway, tmp_path: Path) -> None:
    process = await start(program(0, gateway, tmp_path), tmp_path)
    assert await process.wait() == 0
    assert gateway.texts() == ["What is the weather like?", "Sunny, at last."]
    assert gateway.taken[-1].kind == "end"


async def test_the_program_that_is_stopped_by_sigterm_closes(
    gateway: Gateway, tmp_path: Path
) -> None:
    process = await start(program(1, gateway, tmp_path) + "\n\nasyncio.run(main())\n", tmp_path)

    async def has_begun() -> bool:
        return bool(files(tmp_path))

    await eventually(has_begun)
    process.send_signal(signal.SIGTERM)
    output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"all delivered\n")
    assert not files(tmp_path)


async def test_the_tracker_with_a_spool_begins_and_leaves_nothing(
    gateway: Gateway, tmp_path: Path
) -> None:
    process = await start(program(2, gateway, tmp_path), tmp_path)
    # It is not closed: the exit does that.
    assert await process.wait() == 0
    assert not files(tmp_path)


async def test_the_participant_says_all_that_it_shows(gateway: Gateway, tmp_path: Path) -> None:
    process = await start(program(3, gateway, tmp_path), tmp_path)
    assert await process.wait() == 0
    assert [one.kind for one in gateway.taken if one.id] == [
        "transcript_update",
        "state_update",
        "ai_response",
        "speech_event",
        "end",
    ]


async def test_nothing_of_kafka_or_postgresql_is_imported(tmp_path: Path) -> None:
    text = "import sys; import parley.client; print(*{one.split('.')[0] for one in sys.modules})"
    process = await start(text, tmp_path)
    output, _ = await process.communicate()
    imported = set(output.decode().split())
    assert "websockets" in imported
    assert not imported & {"aiokafka", "asyncpg", "sqlalchemy", "fastapi", "pydantic", "services"}
