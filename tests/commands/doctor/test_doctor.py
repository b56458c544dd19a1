"""`doctor` as a whole: the order of its lines, its exit code, and checks that break or hang."""

from __future__ import annotations

import re
import time
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

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


def test_a_check_that_breaks_or_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A doctor who falls ill helps nobody; the other lines come, in their order."""
    monkeypatch.setattr(show, "PATIENCE", 0.2)
    checks = {"a": _hang, "b": _refuse, "c": _break, "d": lambda: ok("well")}
    monkeypatch.setattr(show, "CHECKS", checks)
    began = time.monotonic()
    names, found = zip(*show.examine(), strict=True)
    assert time.monotonic() - began < 5
    assert names == ("a", "b", "c", "d")
    assert [one.state for one in found] == ["warning", "failed", "warning", "ok"]
    assert "no answer" in found[0].text
    assert (found[1].text, found[1].mend) == ("params.yaml is wrong.", "mend it")
    assert "ZeroDivisionError" in found[2].text
    assert SECRET not in found[2].text


@pytest.mark.parametrize("broken", [True, False])
def test_exit_code_and_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: bool
) -> None:
    """A script asks before it starts a study: 1 where something failed, else 0."""
    checks = {"disk": lambda: ok("roomy [red]"), "git": lambda: warning("dirty " * 99, "commit")}
    checks |= {"torch": lambda: failed("old", "renew")} if broken else {}
    monkeypatch.setattr(show, "CHECKS", checks)
    if broken:
        with pytest.raises(SystemExit) as ended:
            show.show_findings()
        assert ended.value.code == 1
    else:
        show.show_findings()
    text = capsys.readouterr().out
    assert "ok      disk         roomy [red]\nwarning git          dirty dirty " in text
    assert "dirty\n" + 21 * " " + "Mend: commit\n" in text
    assert max(map(len, text.splitlines())) > 500, "a pipe has no width"
    assert text.endswith(f"1 ok, 1 warnings, {int(broken)} failed\n")


def test_lines_are_wrapped_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under the text, in 80 columns; a command of the mend is not cut within a word."""
    monkeypatch.setattr(show, "CHECKS", {"git": lambda: warning("dirty " * 30, "--a-b " * 30)})
    monkeypatch.setattr(show, "Console", partial(Console, force_terminal=True, width=80))
    show.show_findings()
    plain = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, plain)) <= 80
    assert {line[:21].strip() for line in plain[:-1]} == {"warning git", ""}
    assert set(" ".join(line[21:] for line in plain[:-1]).split()) == {"dirty", "Mend:", "--a-b"}


def test_every_check_survives_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a line says that the kit itself is at fault."""
    monkeypatch.chdir(tmp_path)
    assert not [one for _, one in show.examine() if "mistake of the kit" in one.mend]
