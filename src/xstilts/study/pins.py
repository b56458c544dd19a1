"""pins.yaml: commits and hashes that no verified source gave, as `xstilts pin` found them."""

from __future__ import annotations

from pydantic import Field

from xstilts.core import paths
from xstilts.core.strict import Strict, load_yaml, parse

COMMIT = r"^[0-9a-f]{40}$"


class Commit(Strict):
    """A data set or model of the hub."""

    revision: str = Field(pattern=COMMIT)
    found: str  # where: "main" or "refs/convert/parquet", and of which hub


class Bytes(Strict):
    """A file behind a URL."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)
    found: str


class Pins(Strict):
    """The whole of pins.yaml."""

    datasets: dict[str, Commit] = Field(default_factory=dict)
    models: dict[str, Commit] = Field(default_factory=dict)
    urls: dict[str, Bytes] = Field(default_factory=dict)

    def dataset(self, name: str) -> str | None:
        """The commit of a data set; None: not pinned here."""
        return self.datasets[name].revision if name in self.datasets else None

    def model(self, name: str) -> str | None:
        """The commit of a model; None: not pinned here."""
        return self.models[name].revision if name in self.models else None

    def url(self, url: str) -> str | None:
        """The sha256 of a URL's bytes; None: not pinned here."""
        return self.urls[url].sha256 if url in self.urls else None


def load() -> Pins:
    """pins.yaml of the working folder; nothing where there is none.

    Raises:
        UserError: it has an unknown key, or a pin that is none.
    """
    if not paths.PINS.exists():
        return Pins()
    mend = "take it from git again, then run `xstilts pin`"
    return parse(Pins, load_yaml(paths.PINS, mend) or {}, paths.PINS, mend)
