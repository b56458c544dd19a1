"""What `xstilts doctor` looks at: each probe gives findings and changes nothing that lasts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One line. `failed`: a study cannot run or be shared; `warning`: it can, but read this."""

    name: str
    state: State
    text: str
    mend: str = ""


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, "ok", text)


def warning(name: str, text: str, mend: str) -> Finding:
    """A study runs, but something is not as it should be."""
    return Finding(name, "warning", text, mend)


def failed(name: str, text: str, mend: str) -> Finding:
    """A study cannot run, or not be shared."""
    return Finding(name, "failed", text, mend)


def few(names: list[str]) -> str:
    """The first few, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def public(url: str) -> str:
    """A URL without user, password and query, which may be secrets."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
