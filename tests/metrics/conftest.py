"""Golden numbers of the official scorers: where they are, how ours are compared, and the table.

The folder is named by XSTILTS_GOLDEN. What `compared` saw is printed at the end of a run.
"""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

TOLERANCE = 1e-6
Pair = tuple[Any, Any]  # ours, official
Compared = Callable[..., None]
PROPERTY = "golden"  # of a test's report: what, numbers, largest difference, tolerance


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The folder with the golden files; without one, its tests are skipped."""
    if not os.environ.get("XSTILTS_GOLDEN"):
        pytest.skip("XSTILTS_GOLDEN is not set: no golden files of the official scorers here")
    return Path(os.environ["XSTILTS_GOLDEN"])


def _differences(ours: Any, official: Any) -> Iterator[float]:
    """Of all numbers in two structures of one shape; inf where something else differs."""
    if isinstance(official, dict) and isinstance(ours, dict):
        if ours.keys() != official.keys():
            yield math.inf
        for key in ours.keys() & official.keys():
            yield from _differences(ours[key], official[key])
    elif isinstance(official, list) and isinstance(ours, list):
        if len(ours) != len(official):
            yield math.inf
        for one, other in zip(ours, official, strict=False):
            yield from _differences(one, other)
    elif isinstance(official, int | float) and isinstance(ours, int | float):
        yield abs(ours - official)
    else:
        yield 0.0 if ours == official else math.inf


@pytest.fixture
def compared(record_property: Callable[[str, object], None]) -> Compared:
    """compared(what, pairs of ours and official, tolerance): notes and asserts the differences."""

    def compare(what: str, pairs: Iterable[Pair], tolerance: float = TOLERANCE) -> None:
        found = [one for pair in pairs for one in _differences(*pair)]
        assert found, f"{what} holds no number"
        record_property(PROPERTY, (what, len(found), max(found), tolerance))
        assert max(found) <= tolerance, f"{what}: {max(found)}"

    return compare


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The largest difference of each file, whichever process its test ran in."""
    reports = (one for some in terminalreporter.stats.values() for one in some)
    noted = (one for report in reports for one in getattr(report, "user_properties", ()))
    seen = {tuple(found) for name, found in noted if name == PROPERTY}
    if not seen:
        return
    terminalreporter.section("golden numbers: ours against the official scorers")
    width = max(len(what) for what, *_ in seen)
    terminalreporter.line(f"{'what':<{width}}  {'compared':>8}  {'largest':>8}  tolerance")
    for what, count, largest, tolerance in sorted(seen):
        terminalreporter.line(f"{what:<{width}}  {count:>8}  {largest:>8.1e}  {tolerance:.0e}")
    _, counts, largest, _ = zip(*seen, strict=True)
    terminalreporter.line(f"{'all':<{width}}  {sum(counts):>8}  {max(largest):>8.1e}")
