"""`doctor` as a whole: the order of its lines, its exit code, and probes that break or hang."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from xstilts.commands.doctor import show
from xstilts.commands.doctor.finding import Finding, failed, ok, warning
from xstilts.core.errors import UserError

SECRET = "s3cr3t"


def _refuse() -> list[Finding]:
    raise UserError("params.yaml is wrong. Mend: mend it")


def _break() -> list[Finding]:
    raise ZeroDivisionError(SECRET)


def _hang() -> list[Finding]:
    time.sleep(60)
    return []


def test_a_probe_that_breaks_or_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctor who falls ill helps nobody; the other lines come, in their order."""
    monkeypatch.setattr(show, "PATIENCE", 0.2)
    probes = {"a": _hang, "b": _refuse, "c": _break, "d": lambda: [ok("d", "well")]}
    began = time.monotonic()
    found = show.examine(probes)
    assert time.monotonic() - began < 5
    assert [(one.name, one.state) for one in found] == [
        *(("a", "warning"), ("b", "failed"), ("c", "warning"), ("d", "ok"))
    ]
    assert "no answer" in found[0].text
    assert (found[1].text, found[1].mend) == ("params.yaml is wrong.", "mend it")
    assert "ZeroDivisionError" in found[2].text
    assert SECRET not in found[2].text


@pytest.mark.parametrize("broken", [True, False])
def test_exit_code_and_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: bool
) -> None:
    """A script asks before it starts a study: 1 where something failed, else 0."""
    found = [ok("disk", "roomy [red]"), warning("git", "dirty", "commit")]
    found += [failed("GPU", "old", "renew")] if broken else []
    monkeypatch.setattr(show, "PROBES", {"all": lambda: found})
    if broken:
        with pytest.raises(SystemExit) as ended:
            show.show_findings()
        assert ended.value.code == 1
    else:
        show.show_findings()
    text = capsys.readouterr().out
    assert "ok      disk           roomy [red]\nwarning git            dirty\n" in text
    assert "\n" + 23 * " " + "Mend: commit\n" in text
    assert text.endswith(f"1 ok, 1 warnings, {int(broken)} failed\n")


def test_every_probe_survives_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a line says that the kit itself is at fault."""
    monkeypatch.chdir(tmp_path)
    assert not [one for one in show.examine() if "mistake of the kit" in one.mend]
