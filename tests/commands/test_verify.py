"""`verify` on a small study that DVC really ran, in a real repository: each verdict and refusal."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny_study
import yaml
from tiny_study import DVC, commit, compiled, provenance, rerun, sh

from xstilts.commands import graph
from xstilts.commands.verify import finished, show
from xstilts.core.errors import UserError


@pytest.fixture(scope="module")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed study that DVC ran."""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        _enter(folder, patch)
        tiny_study.make()
    return folder


def _enter(folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(folder)
    patch.setenv("DVC_SITE_CACHE_DIR", str(folder / ".dvc/site"))
    patch.setenv("PATH", str(DVC.parent), prepend=":")
    patch.setattr(graph.code, "write", lambda: None)  # its code is not this project's


@pytest.fixture
def study(_finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    folder = tmp_path / "copy"
    shutil.copytree(_finished, folder, symlinks=True)
    _enter(folder, monkeypatch)
    return folder


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """shown("HEAD"): exit code and what was printed."""

    def run(reference: str = "HEAD") -> tuple[int, str]:
        code = 0
        try:
            show.show_verdict(reference)
        except SystemExit as ended:
            code = int(str(ended.code))
        text = capsys.readouterr().out
        assert max((len(line) for line in text.splitlines() if line[:1] == " "), default=0) <= 100
        return code, text

    return run


def test_equal_bytes_are_exact(study: Path, shown: Any) -> None:
    """The promise of the project, and the machine beside it, even where nothing differs."""
    code, text = shown()
    assert code == 0
    assert text.startswith("tiny: exact: all 3 stages have the bytes of HEAD (")
    assert text.endswith("hardware and versions: equal in all 5 fields\n")


def test_a_path_is_never_cut(study: Path, cli: Any) -> None:
    """A log has 80 columns or none; what a person copies from it has to be whole."""
    other = study.parent / ("a_folder" * 20)
    shutil.copytree(study, other, symlinks=True)
    done = cli("verify", str(other), COLUMNS="80")
    assert done.stdout.startswith(f"tiny: exact: all 3 stages have the bytes of {other}\n")


def test_other_bytes_may_say_the_same(study: Path, shown: Any) -> None:
    """Another CPU: other weights, means inside of the joint interval, every effect alike."""
    rerun("0.01", "intermediate", "aggregate")
    provenance("Xeon")
    code, text = shown()
    assert code == 0
    assert text.startswith("tiny: same conclusions as HEAD (")
    said = "all 2 means within the joint interval, largest move 0.02 points (xnli/a); "
    said += "1 effect and 1 claim alike"
    assert said in text.splitlines()[0]
    assert "first difference: intermediate@tiny/a: equal params and data, another output" in text
    assert "code    equal: so the machine" in text
    assert "\nmeans: 2 compared, 0 outside of the joint interval" in text
    moved = ["xnli", "a", "50.02", "50.00", "+0.02", "1.74"]
    assert next(line.split() for line in text.splitlines() if line.startswith(" xnli")) == moved
    assert "score rows: 3 compared, 2 differ" in text
    first = ["a-s1", "xnli", "en", "accuracy", "50.0200", "50.0000", "+0.02"]
    assert next(line.split() for line in text.splitlines() if "accuracy" in line) == first
    assert "1 of 5 fields differ" in text
    assert text.split()[-3:] == ["hardware.cpu", "Xeon", "EPYC"]


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        ("0.9", "1 mean outside of the joint interval; {claim}; largest move 1.80 points (xnli/a)"),
        ("0.6", "1 effect turned; {claim}; largest move 1.20 points (xnli/a)"),
    ],
)
def test_a_mean_or_an_effect_decides(study: Path, noise: str, says: str, shown: Any) -> None:
    """A mean beyond the joint interval is different; so is a smaller move that turns an effect."""
    rerun(noise, "aggregate")
    code, text = shown()
    assert code == 1
    assert text.startswith("tiny: different from HEAD (")
    assert text.splitlines()[0].endswith(says.format(claim="1 claim contradicted"))
    assert "first difference: aggregate@tiny: equal params and data" in text


def test_the_first_stage_that_parts_is_named_with_its_code(study: Path, shown: Any) -> None:
    """Changed code is named apart, since it is the usual reason and no riddle."""
    tiny_study.code("2")
    rerun("0.9", "intermediate", "aggregate")
    code, text = shown()
    assert code == 1
    assert "first difference: intermediate@tiny/a: equal params and data, another output" in text
    assert "  code    training/loop" in text
    assert "the machine" not in text


@pytest.mark.slow
def test_other_params_are_shown_as_such(study: Path, shown: Any) -> None:
    """Another study design is no failure to reproduce; what was changed is said."""
    compiled(2)
    sh(DVC, "repro", "-q")
    _, text = shown()
    assert (
        "first difference: prepare@tiny/a, whose inputs differ\n  input   prepare.a: 1 -> 2" in text
    )


def test_code_that_changed_after_the_run_is_noted(study: Path, shown: Any) -> None:
    """The lock tells of the run, not of the file as it is now."""
    tiny_study.code("2")
    code, text = shown()
    assert (code, "tiny: exact" in text) == (0, True)
    assert "note: code or data changed since intermediate@tiny/a ran; the last run" in text


def test_other_runs_have_diverged(study: Path, shown: Any) -> None:
    """A reference with more runs is not the same study, however equal the rest."""
    lock = yaml.safe_load(Path("dvc.lock").read_text())
    lock["stages"]["intermediate@tiny/more"] = lock["stages"]["intermediate@tiny/a"]
    other = Path("other")
    other.mkdir()
    (other / "dvc.lock").write_text(yaml.safe_dump(lock))
    code, text = shown("other")
    assert code == 1
    assert text.startswith("tiny: different from other: not the same runs\n")
    assert "conclusions: none of other are at hand" in text
    assert "no provenance of other" in text
    assert [line.split() for line in text.splitlines() if line.startswith("  intermediate")] == [
        ["intermediate", "1", "1"]
    ]


@pytest.mark.slow
def test_another_folder_is_a_reference(study: Path, shown: Any, tmp_path: Path) -> None:
    """A colleague's copy on the same disk, without git."""
    shutil.copytree(study, tmp_path / "theirs", ignore=shutil.ignore_patterns(".git", ".dvc"))
    rerun("2.0", "aggregate")
    code, text = shown(str(tmp_path / "theirs"))
    assert code == 1
    assert "score rows: 3 compared, 2 differ" in text


def test_a_clone_without_cache_and_remote_has_all_that_is_compared(study: Path, shown: Any) -> None:
    """Score rows, conclusions and verdicts lie in git, so a reader needs nothing else."""
    rerun("0.01", "aggregate")
    shutil.rmtree(".dvc/cache")
    code, text = shown()
    assert code == 0
    assert text.startswith("tiny: same conclusions as HEAD (")
    assert "score rows: 3 compared, 2 differ" in text


def test_a_claim_that_is_contradicted_decides(study: Path, shown: Any) -> None:
    """Means and effects are as they were; what a reader would cite is not."""
    rerun("0.05", "aggregate")
    code, text = shown()
    assert code == 1
    assert "1 claim contradicted" in text.splitlines()[0]
    assert "claims: 1 compared, 1 contradicted, 0 told in one only" in text
    assert "  claim: helps: not reproduced here, reproduced there" in text


def test_what_one_look_alone_tells_is_counted_and_contradicts_nothing(
    study: Path, shown: Any
) -> None:
    """A gain at the edge of what is told falls to either side by chance; so does a verdict."""
    rerun("0.03", "aggregate")
    code, text = shown()
    assert code == 0
    assert "0 effects and 0 claims alike, 1 effect and 1 claim told in one only" in text
    assert "effects: 1 compared, 0 turned, 1 told in one only" in text
    assert "claims: 1 compared, 0 contradicted, 1 told in one only" in text
    assert "  claim: helps: undecided here, reproduced there" in text
    assert "  effect told in one only: xnli/a" in text


def test_means_without_their_uncertainty_are_no_verdict(study: Path, shown: Any) -> None:
    """A record of a version that did not keep it: no guess, but what to do."""
    lost = Path("results/aggregate/tiny/contrasts.parquet")
    kept = lost.read_bytes()
    lost.unlink()
    commit("an older record")
    lost.write_bytes(kept)
    rerun("0.01", "aggregate")
    with pytest.raises(UserError, match=r"HEAD .*contrasts\.parquet is missing .*Mend"):
        shown()


def test_a_claim_in_other_words_is_not_compared(study: Path, shown: Any) -> None:
    """An edited entry asks something else; that it is answered otherwise says nothing."""
    rerun("0.05", "aggregate")
    path = Path("report/tiny.claims.json")
    path.write_text(path.read_text().replace('"c"', '"d"'))
    sh(DVC, "commit", "-fq", tiny_study.KEYS["aggregate"])
    code, text = shown()
    assert code == 0
    assert "claims:" not in text


@pytest.fixture
def looked(study: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """looked(shift): exit code and text; the study `again` has another mean, and one setting."""

    def run(shift: float = 0.0, verdict: str = "reproduced") -> tuple[int, str]:
        told = json.loads(Path("results/aggregate/tiny.metrics.json").read_text())
        del told["xnli"]["none"]
        kept = pq.read_table("results/aggregate/tiny/contrasts.parquet").to_pylist()
        kept[1]["mean"] += shift
        Path("results/aggregate/again").mkdir()
        pq.write_table(pa.Table.from_pylist(kept), "results/aggregate/again/contrasts.parquet")
        Path("results/aggregate/again.metrics.json").write_text(json.dumps(told))
        claims = {"helps": {"claim_sha256": "c", "verdict": verdict}}
        Path("report/again.claims.json").write_text(json.dumps({"claims": claims}))
        commit("again")
        code = 0
        try:
            show.show_second_look("HEAD", "again")
        except SystemExit as ended:
            code = int(str(ended.code))
        return code, capsys.readouterr().out

    return run


def test_a_second_look_compares_what_both_studies_say(looked: Any) -> None:
    """Other seeds, fewer settings: what only one has turns nothing, and is told."""
    code, text = looked(0.5)
    assert code == 0
    assert text.startswith("tiny: same conclusions as again of HEAD (")
    assert "all 1 means within the joint interval, largest move 0.50 points (xnli/a)" in text
    assert "1 effect and 1 claim alike" in text
    assert "  on one side only: xnli/none" in text


@pytest.mark.parametrize(
    ("shift", "verdict", "says"),
    [
        (9.0, "reproduced", "1 mean outside of the joint interval"),
        (0.0, "not reproduced", "1 claim contradicted"),
    ],
)
def test_a_second_look_may_differ(shift: float, verdict: str, says: str, looked: Any) -> None:
    """By a mean, or by a claim alone."""
    code, text = looked(shift, verdict)
    assert code == 1
    assert text.startswith("tiny: different from again of HEAD (")
    assert says in text.splitlines()[0]


def test_a_study_that_concludes_nothing_is_named(study: Path) -> None:
    """Not run, or not committed."""
    with pytest.raises(UserError, match=r"no conclusions of other .*Mend"):
        show.show_second_look("HEAD", "other")


@pytest.mark.slow
def test_a_project_inside_a_repository_is_read_at_its_commit(study: Path, tmp_path: Path) -> None:
    """Git's files by the project's own names, whatever lies above it."""
    shutil.move(".git", tmp_path / ".git")
    commit("moved")
    place = finished.find("HEAD")
    assert place.read("dvc.lock") == Path("dvc.lock").read_bytes()
    assert len(place.find("provenance", ".json")) == 1
    scores = "results/aggregate/tiny/scores.parquet"
    assert place.read(scores) == Path(scores).read_bytes()


@pytest.mark.parametrize("lost", ["models/tiny", "data/prepare/tiny/rows"])
def test_a_study_that_is_not_finished_is_no_verdict(study: Path, lost: str, shown: Any) -> None:
    """dvc.lock is in git: without looking at the outputs a fresh clone would pass as exact."""
    path = Path(lost)
    shutil.rmtree(path) if path.is_dir() else path.write_text("spoilt")
    with pytest.raises(UserError, match=r"not finished here: 1 of 5 outputs .*Mend: `dvc repro`"):
        shown()


def test_a_fresh_clone_is_told_to_run_or_pull(study: Path, shown: Any) -> None:
    """Neither outputs nor cache: the most usual first step."""
    for folder in ("data", "models", "results/aggregate/tiny", ".dvc/cache"):
        shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"3 of 5 outputs .*is missing.*`dvc pull`"):
        shown()


@pytest.mark.parametrize(
    ("spoil", "reference", "says"),
    [
        ("", "no-such-branch", "no-such-branch is neither a git revision"),
        ("", "--help", "--help is neither a git revision"),
        ("", "HEAD:dvc.lock", "HEAD:dvc.lock is neither a git revision"),
        ("dvc.lock", "HEAD", "this workspace has no dvc.lock"),
        ("params.yaml", "HEAD", "params.yaml is missing"),
        (".git", "HEAD", "HEAD is neither a git revision"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    study: Path, spoil: str, reference: str, says: str, shown: Any
) -> None:
    """Exit code 2 and a mend, not a stack trace."""
    if spoil:
        path = Path(spoil)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError) as caught:
        shown(reference)
    assert says in str(caught.value)
    assert " Mend: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_printed_after_the_line_of_an_unknown_revision(
    study: Path, cli: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Packs of git that are open at the end of the program tell so by a traceback each."""
    subprocess.run(["git", "gc", "-q"], check=True)
    done = cli("verify", "nope")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_lock_of_another_study_or_in_conflict_is_named(study: Path, shown: Any) -> None:
    """`study use` changes params.yaml and not dvc.lock; a merge may leave its marks in it."""
    compiled(1, "other")
    with pytest.raises(UserError, match=r"no run of the study other \(its dvc\.lock has: tiny\)"):
        shown()
    compiled(1)
    Path("dvc.lock").write_text("<<<<<<< HEAD\nstages: {\n")
    with pytest.raises(UserError, match=r"dvc\.lock of this workspace cannot be read"):
        shown()
