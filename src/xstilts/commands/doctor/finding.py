"""What `xstilts doctor` finds. A check is here if its failure stops or slows a study, spoils a
result or leaks, and if the person can mend it; each changes nothing that lasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Finding:
    """One line. `failed`: a study cannot run or be shared; `warning`: it can, but read this."""

    state: Literal["ok", "warning", "failed"]
    text: str
    mend: str = ""


def ok(text: str) -> list[Finding]:
    """All is well; a list, as all that a check returns, since it may find several things."""
    return [Finding("ok", text)]


def warning(text: str, mend: str) -> list[Finding]:
    """A study runs, but something is not as it should be."""
    return [Finding("warning", text, mend)]


def failed(text: str, mend: str) -> list[Finding]:
    """A study cannot run, or not be shared."""
    return [Finding("failed", text, mend)]


def few(names: list[str]) -> str:
    """The first few, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def public(url: str) -> str:
    """A URL without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
