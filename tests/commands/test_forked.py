"""A fork of the warm process is a process like any other: its environment, output and exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ENDINGS = [
    ("xstilts version", 0, "0.1.0"),
    ("xstilts transfer nowhere/none-s1", 2, "Mend: "),
    ("sh -c 'echo $SAID; exit 7'", 7, "told"),  # a stage that somebody has added
]
RUN = """
import sys
from pathlib import Path
from xstilts.cli import main
from xstilts.commands.forked import Forks

if __name__ == "__main__":
    environment = {**FULL, "SAID": "told"}
    process = Forks(main, "xstilts.warm").start(sys.argv[1], Path("log"), environment)
    print(process.pid, flush=True)
    process.join()
    sys.exit(process.exitcode % 256)
"""


def begin(folder: Path, command: str) -> subprocess.Popen[str]:
    """Start a command as a fork, from a program of its own."""
    program = folder / "program.py"
    program.write_text(RUN.replace("**FULL", f"**{dict(os.environ)!r}"), encoding="utf-8")
    line = [sys.executable, str(program), command]
    return subprocess.Popen(line, cwd=folder, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("command", "code", "said"), ENDINGS, ids=[one[0] for one in ENDINGS])
def test_exit_code_output_and_environment(
    tmp_path: Path, command: str, code: int, said: str
) -> None:
    """Also of a command that is none of ours."""
    started = begin(tmp_path, command)
    assert started.wait(120) == code
    assert said in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_signal_ends_it(tmp_path: Path) -> None:
    """Ctrl-C reaches stages as it reaches `dvc repro`'s."""
    started = begin(tmp_path, "sleep 600")
    assert started.stdout is not None
    os.kill(int(started.stdout.readline()), signal.SIGTERM)
    assert started.wait(60) == -signal.SIGTERM % 256


SIDE_BY_SIDE = """
import os, time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.popen_forkserver import Popen
from pathlib import Path
from xstilts.cli import main
from xstilts.commands.forked import Forks

poll, inside, together = Popen.poll, [], []

def watched(self, flag=os.WNOHANG):
    together.extend(one for one in inside if one is self)
    inside.append(self)
    time.sleep(0.005)
    found = poll(self, flag)
    inside.remove(self)
    return found

def one(number):
    process = forks.start("true", Path(f"log{number}"), {**FULL})
    while (code := forks.ended(process, 0.05)) is None:
        pass
    return code

if __name__ == "__main__":
    Popen.poll = watched
    forks = Forks(main, "json")
    with ThreadPoolExecutor(4) as pool:
        print(set(pool.map(one, range(20))), len(together))
"""


def test_stages_side_by_side_keep_their_exit_codes(tmp_path: Path) -> None:
    """Each start asks for the codes of all: where two threads read one, it was lost."""
    program = tmp_path / "program.py"
    text = SIDE_BY_SIDE.replace("**FULL", f"**{dict(os.environ)!r}")
    program.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.strip() == "{0} 0"
