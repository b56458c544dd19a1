"""Tables that xstilts prints, in README.md and these pages: `python docs/tables.py` renews them.

A table stands between a comment that is its command and `<!-- end -->`:

    <!-- xstilts scores --study real --markdown -->
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(<!-- xstilts (.+?) -->\n).*?(<!-- end -->)", re.S)


def pages() -> list[Path]:
    """Where such tables may stand."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def renewed(text: str) -> str:
    """A page with what each command prints now."""
    return BLOCK.sub(lambda block: block[1] + _printed(block[2]) + block[3], text)


def _printed(arguments: str) -> str:
    command = [sys.executable, "-m", "xstilts", *shlex.split(arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    for page in pages():
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
