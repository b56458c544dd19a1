"""`xstilts protocol`: every value with its line, every difference, at any width.

Run: python -m pytest tests/commands/test_protocol.py
"""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xstilts import cli
from xstilts.benchmarks.protocols import PROTOCOLS
from xstilts.benchmarks.recipes import RECIPES
from xstilts.commands import protocol
from xstilts.core.errors import UserError


@pytest.fixture(autouse=True)
def folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place with the repository's studies and none in use."""
    shutil.copytree(root / "studies", tmp_path / "studies")
    shutil.copy(root / "pins.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)


def words(text: str) -> str:
    return " ".join(text.split())


def lines(name: str) -> set[str]:
    """`file:lines` of each value of a protocol, as one part of a file is cited."""
    return {said.source for recipe in RECIPES[name].values() for said in recipe.values()}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_all_is_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every task, every script that says something, and every named difference."""
    protocol.show_protocol(name)
    out = words(capsys.readouterr().out)
    for source in lines(name):
        assert source.partition(":")[0] in out
    for task in PROTOCOLS[name].languages:
        assert f"({task})" in out
    for one in PROTOCOLS[name].differences:
        assert words(one.text) in out


def test_without_a_name_the_protocols_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """To know what can be asked for."""
    protocol.show_protocol(None)
    out = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{out}" for name in PROTOCOLS)


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_and_no_line_is_cut(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that is broken in two cannot be opened."""
    monkeypatch.setattr(protocol, "WIDTH", width)
    for name in PROTOCOLS:
        protocol.show_protocol(name)
        out = capsys.readouterr().out
        assert max(len(line) for line in out.splitlines()) <= width
        assert "…" not in out
        for source in lines(name):
            assert source.partition(":")[0] in out


def test_a_study_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside its task, and as a whole."""
    protocol.show_protocol("xtreme-r", None, "scaling-base")
    out = words(capsys.readouterr().out)
    assert "study scaling-base: 2 epochs instead of 5 epochs" in out
    assert "udpos, wikiann: 5 epochs instead of 10 epochs." in out
    protocol.show_protocol("x-stilts", "cosmos_qa")
    out = words(capsys.readouterr().out)
    assert "15 epochs, batch 4" in out
    assert "recalled of the paper, not verified" in out


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (("glue",), r"no protocol 'glue'\. Mend: use one of xtreme, xtreme-r, x-stilts"),
        (("xtreme", "xcopa"), r"xtreme has no task 'xcopa'\. Mend: use one of xnli, paws_x"),
        (("xtreme", None, "nowhere"), r"no study 'nowhere' .*Mend"),
        (("xtreme", None, "scaling"), r"no target of the study scaling follows xtreme\. Mend"),
        ((None, "xnli"), r"of which protocol\? Mend: name one of xtreme"),
    ],
)
def test_what_there_is_not_is_named_in_one_line(given: tuple[str | None, ...], wrong: str) -> None:
    """With what there is."""
    with pytest.raises(UserError, match=wrong) as caught:
        protocol.show_protocol(*given)
    assert "\n" not in str(caught.value)


def test_the_command_says_no_with_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every mistake of a person."""
    assert isinstance(CliRunner().invoke(cli.app, ["protocol", "glue"]).exception, UserError)
