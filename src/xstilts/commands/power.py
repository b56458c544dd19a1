"""What `xstilts plan` says of power: for each target, the smallest gain that is told from none."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from statistics import fmean

from rich.table import Table

from xstilts.commands.estimate import Estimate
from xstilts.core import files, paths
from xstilts.core.params import Params
from xstilts.results import power, scores
from xstilts.results.contrasts import Contrasts
from xstilts.results.power import Spread
from xstilts.results.scores import Row

Setting = tuple[object, ...]


def table(loaded: Params, estimate: Estimate, seed_sd: float | None) -> tuple[Table | None, str]:
    """The table, and in a sentence what it rests on; no table where nothing can be told.

    Args:
        seed_sd: points between seeds, over what finished runs show.
    """
    settings = Counter(setting(loaded, run) for run in loaded.transfer)
    baseline = next((count for one, count in settings.items() if one[:2] == ("none", "")), 0)
    others = [count for one, count in settings.items() if one[:2] != ("none", "")]
    df = sum(count - 1 for count in settings.values())
    if not baseline:
        return None, "Smallest gain: the study has no runs without intermediate training."
    if not others:
        return None, "Smallest gain: the study has one setting, and none to compare with it."
    if not df:
        return None, "Smallest gain: no setting has two seeds, so no gain can be told from none."
    targets = {name: _zero_shot(loaded, name) for name in loaded.targets}
    targets = {name: languages for name, languages in targets.items() if languages}
    comparisons = len(others) * (len(targets) + (len(targets) > 1))
    found = _finished(loaded, targets)
    kept = _kept(loaded)
    heads = ("target", "examples", "SD between seeds", "error by examples", "smallest gain")
    drawn = Table(*heads, box=None, padding=(0, 2, 0, 0))
    for name, languages in targets.items():
        between = found[name] if seed_sd is None else Spread(seed_sd, 0, "as given")
        rows = estimate.independent(loaded.targets[name], languages)
        noise = power.noise(Contrasts.of(kept, name), "none", rows)
        gain = power.smallest_gain(
            between.sd, min(others), baseline, df, noise.variance, comparisons
        )
        error = f"{sqrt(noise.variance):.1f} ({noise.known})"
        seeds = f"{between.sd:.1f} ({between.known})"
        drawn.add_row(name, f"{rows:,}", seeds, error, f"{gain:.1f}")
    return drawn, _sentence(min(others), baseline, comparisons)


def _kept(loaded: Params) -> list[Row]:
    """Rows of contrasts.parquet, where the study is aggregated."""
    file = paths.aggregated(loaded.study) / "contrasts.parquet"
    return files.read_parquet(file).to_pylist() if file.is_file() else []


def _sentence(seeds: int, baseline: int, comparisons: int) -> str:
    fewest = f"{seeds} seed{'s' * (seeds > 1)} a setting" + (" at least" if seeds == 1 else "")
    return (
        f"Smallest gain: points of the zero-shot mean told from none in {power.POWER:.0%} of such"
        f" studies, with {fewest} and {baseline} without intermediate training, at p < 0.05 after"
        f" Holm's correction over {comparisons} comparisons; translations of one example count as"
        f" one. Where the error by examples is assumed, two settings differ on an example by"
        f" {power.EXAMPLE_SD:.0f} points (SD) beyond chance."
    )


def setting(loaded: Params, run: str) -> Setting:
    """What a run shares with the other seeds of its setting."""
    spec = loaded.transfer[run]
    return (spec.method, spec.variant, spec.task, spec.source_language, spec.size)


def _zero_shot(loaded: Params, target: str) -> list[str]:
    """The languages that a target is scored in and not fine-tuned in."""
    spec = loaded.targets[target]
    return [language for language in spec.languages if language != spec.source_language]


def _finished(loaded: Params, targets: dict[str, list[str]]) -> dict[str, Spread]:
    """What finished runs show of the spread between seeds."""
    found: dict[str, dict[Setting, list[float]]] = {name: {} for name in targets}
    for run in loaded.transfer:
        file = paths.transferred(loaded.study, run) / "scores.json"
        if not file.is_file():
            continue
        main = {(row.target, row.language): row.value for row in scores.from_json(file) if row.main}
        for target, languages in targets.items():
            values = [main.get((target, language)) for language in languages]
            whole = [value for value in values if value is not None]
            if len(whole) == len(languages):
                found[target].setdefault(setting(loaded, run), []).append(fmean(whole))
    return {target: power.spread(list(groups.values())) for target, groups in found.items()}
