"""Where a run took place, so that its figures can be judged later."""

import compileall
import os
import platform
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import psutil

from parley import clock
from tests.support.processes import ROOT

PACKAGES: Final = (
    "aiohttp",
    "aiokafka",
    "fastapi",
    "httpx2",
    "openai",
    "orjson",
    "picows",
    "protobuf",
    "uvicorn",
    "uvloop",
)


def compile_code() -> None:
    """Compile what is not yet compiled, as an image is: else each start would do it anew wherever
    the environment forbids Python to keep what it compiles.
    """
    folders = [ROOT / name for name in ("parley", "services", "benchmarks", "tests/support")]
    for folder in (*folders, Path(sysconfig.get_paths()["purelib"])):
        compileall.compile_dir(folder, quiet=2)


def describe() -> dict[str, Any]:
    """The machine, the versions, the commit, and how busy the machine was before."""
    return {
        "at": clock.now().isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": f"{platform.system()} {platform.release()}",
            "load_before": round(os.getloadavg()[0], 2),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in (*PACKAGES, "websockets")},
        },
    }


def _commit() -> str:
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+changes" if _git("status", "--porcelain") else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
