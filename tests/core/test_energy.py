"""Energy counters: what the kernel tells, wrapped or not, and machines that tell nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from xstilts.core import energy


def package(root: Path, name: str, used: int, most: int = 1_000_000_000) -> None:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{used}\n")
    (folder / "max_energy_range_uj").write_text(f"{most - 1}\n")


@pytest.fixture
def powercap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel's folder of counters; no GPU."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path / "powercap")
    monkeypatch.setattr(energy, "NVML", "libnothing-of-this-name.so")
    return tmp_path / "powercap"


def test_packages_are_added_and_their_parts_are_not(powercap: Path) -> None:
    """`intel-rapl:0:0` is a part of package 0 and would count twice."""
    for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0"):
        package(powercap, name, 100_000_000)
    meter = energy.Meter()
    package(powercap, "intel-rapl:0", 130_000_000)
    package(powercap, "intel-rapl:1", 112_000_000)
    package(powercap, "intel-rapl:0:0", 125_000_000)
    assert meter.joules() == {"cpu": 42.0}


def test_a_counter_that_began_anew_goes_on(powercap: Path) -> None:
    """A package's counter wraps every hour or so."""
    package(powercap, "intel-rapl:0", 990_000_000)
    meter = energy.Meter()
    package(powercap, "intel-rapl:0", 15_000_000)
    assert meter.joules() == {"cpu": 25.0}


def test_a_machine_that_tells_nothing_is_no_error(powercap: Path) -> None:
    """No folder, a counter that cannot be read, no driver: energy is left out."""
    assert energy.Meter().joules() == {}
    package(powercap, "intel-rapl:0", 1)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("")
    assert energy.Meter().joules() == {}
