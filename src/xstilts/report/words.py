"""What the report says in sentences: the finding at the head of the page, the notes at its end.

Every number and every verb of the finding is computed from the rows; nothing is claimed beforehand.
The notes say how the numbers came about: data, protocol, budget, selection, intervals, tests.
"""

from __future__ import annotations

from collections.abc import Iterable

from xstilts.core.params import Training
from xstilts.report.data import Results, Row, p_text, plain, series_of, series_text, signed
from xstilts.results.inference import SIGNIFICANT
from xstilts.results.scores import ALL

AWAY = (
    "A target is fine-tuned on its source language alone. Its zero-shot score is the plain mean"
    " over its other languages; “mean” is over all of them."
)
INTERVALS = (
    "{confidence} intervals of a moderated t (Smyth 2004): the variance between the seeds of a"
    " setting is shrunk towards that of all settings of the same target and language, and what"
    " test examples do is paired, as all runs answer the same. They hold for these languages, other"
    " seeds and other examples; “languages like these” also draws languages, and is wider."
)
TESTS = (
    "Two-sided p of the same t; none where no setting has two seeds. Holm's correction is over all"
    " zero-shot comparisons of the study; means and single languages are families of their own."
)


def finding(results: Results) -> str:
    """One sentence: the largest difference that survives correction, or that there is none."""
    rows = [row for row in results.comparisons() if row["method"] != "shuffled"]
    if not rows:
        return (
            "This study has no run without intermediate training to compare with, so it says"
            " nothing about gains; the scores are below."
        )
    sure = [row for row in rows if row["p_holm"] < SIGNIFICANT]
    top = max(sure or rows, key=lambda row: abs(row["delta"]))
    interval = (
        f"{results.confidence} interval {plain(top['delta_low'])} to {plain(top['delta_high'])}"
    )
    if not sure:
        return (
            f"None of {_count(len(rows), 'comparison')} with no intermediate training is"
            f" significant after correction; the largest difference is {signed(top['delta'])}"
            f" points on {top['target']} after {_setting(top)} ({interval})."
        )
    verb = "raised" if top["delta"] > 0 else "lowered"
    return (
        f"Training first on {_setting(top)} {verb} the zero-shot score of {top['target']} by"
        f" {abs(top['delta']):.1f} points, from {top['mean'] - top['delta']:.1f} to"
        f" {top['mean']:.1f} ({interval}; {p_text(top['p_holm'])} after Holm's correction), the"
        f" largest of {_count(len(rows), 'comparison')} with no intermediate training."
    )


def support(results: Results) -> list[str]:
    """Sentences after the finding: how many gains, what size does, what the control does."""
    rows = [row for row in results.comparisons() if row["method"] != "shuffled"]
    sentences = []
    if rows:
        sure = [row["delta"] for row in rows if row["p_holm"] < SIGNIFICANT]
        up, down = sum(delta > 0 for delta in sure), sum(delta < 0 for delta in sure)
        sentences.append(
            f"Of {_count(len(rows), 'setting')} (task, language, size, target), {up} score"
            f" significantly higher than no intermediate training, {down} lower, and"
            f" {len(rows) - up - down} cannot be told apart from it."
        )
    sentences += [_size_sentence(row) for row in _headline_slopes(results)[:4]]
    sentences += _best_sentences(results) + _control_sentences(results)
    return sentences


def _headline_slopes(results: Results) -> list[Row]:
    """Slopes of the zero-shot means of single targets, the steepest first."""
    rows = [
        row
        for row in results.slopes
        if row["target"] in results.targets
        and row["language"] == results.headline(row["target"])
        and row["method"] != "shuffled"
    ]
    return sorted(rows, key=lambda row: (-abs(row["slope"]), row["target"], row["task"]))


def _size_sentence(row: Row) -> str:
    sure = row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT
    return (
        f"A tenfold of {series_text(series_of(row))} rows goes with"
        f" {signed(row['slope'])} points on {row['target']} ({plain(row['low'])} to"
        f" {plain(row['high'])}{'' if sure else '; not significant'})."
    )


def _best_sentences(results: Results) -> list[str]:
    """What choosing the setting anew for each target brings."""
    found = [
        row
        for row in results.summary
        if row["method"] == "best" and row["target"] == ALL and row["delta"] is not None
    ]
    return [
        f"With the best setting for each target, chosen on validation rows of the source language,"
        f" the mean over targets is {row['mean']:.1f}: {signed(row['delta'])} points"
        f" ({plain(row['delta_low'])} to {plain(row['delta_high'])}, the choice taken as given)."
        for row in found
    ]


def _control_sentences(results: Results) -> list[str]:
    """What the shuffled-label control did: it must not help."""
    control = [row for row in results.comparisons() if row["method"] == "shuffled"]
    if not control:
        return []
    sure = [row for row in control if row["p_holm"] < SIGNIFICANT and row["delta"] > 0]
    worst = max(control, key=lambda row: abs(row["delta"]))
    size = (
        f"its largest effect is {signed(worst['delta'])} points on {worst['target']}"
        f" ({plain(worst['delta_low'])} to {plain(worst['delta_high'])})"
    )
    if sure:
        return [
            f"The control with shuffled labels helps significantly in {len(sure)} of"
            f" {len(control)} comparisons: {size}. Part of the gain is not the task's."
        ]
    return [f"The control with shuffled labels helps significantly in no comparison: {size}."]


def _setting(row: Row) -> str:
    return f"{row['size']:,} rows of {series_text(series_of(row))}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def notes(results: Results) -> list[tuple[str, str]]:
    """(name, text) of each note."""
    params = results.params
    intervals = INTERVALS.format(confidence=results.confidence)
    return [
        ("Data", _data(params.report.source)),
        *_left_out(results),
        ("Protocol", _protocols(results)),
        ("Budget", _budgets(results)),
        *_mixing(results),
        ("Selection", _selection(results)),
        ("Zero-shot", AWAY),
        ("Seeds", _seeds(results)),
        ("Intervals", intervals),
        ("Tests", TESTS),
    ]


def _data(source: str) -> str:
    if source == "world":
        return (
            "Control world: made-up languages whose nouns have hidden classes, generated by this"
            " repository. No number here is about a real language; the right scores are counted"
            " from the rows that each run was taught, and show that the machinery finds them."
        )
    where = "the Hugging Face hub" if source == "hub" else f"a local mirror ({source})"
    return f"Real data sets at pinned revisions, from {where}; manifests and hashes are tracked."


def _left_out(results: Results) -> list[tuple[str, str]]:
    """What the study names and could not run."""
    found = results.params.left_out
    if not found:
        return []
    return [("Left out", " ".join(f"{name}: {why}." for name, why in found.items()))]


def _mixing(results: Results) -> list[tuple[str, str]]:
    """How the tasks of a mix share the updates, and which part is masked language modelling."""
    texts = []
    for spec in results.params.intermediate.values():
        if spec.mixing is None or len(spec.parts) < 2:
            continue
        shares = [(part, part.share) for part in spec.parts]
        text = f"{spec.task}: {_join((part.task for part, share in shares if share is None), ', ')}"
        cap, temperature = spec.mixing.cap, spec.mixing.temperature
        if sum(share is None for _, share in shares) > 1:
            limit = f"the smaller of rows and {cap:,}" if cap else "rows"
            power = f", to the power 1/{temperature:g}" if temperature != 1 else ""
            text += f", updates in proportion to {limit}{power}"
        for part, share in shares:
            text += "" if share is None else f", {100 * share:g}% of the updates {part.kind}"
        texts.append(text)
    return [("Mixing", _join(texts, "; ") + ".")] if texts else []


def _protocols(results: Results) -> str:
    return (
        "; ".join(
            f"{name}: {spec.protocol}, {spec.metric} on the {spec.split} split"
            + "".join(f", trained on {one.task} before" for one in spec.before)
            + ("" if spec.train_rows else ", scored without fine-tuning")
            for name, spec in results.params.targets.items()
        )
        + "."
    )


def _budgets(results: Results) -> str:
    params = results.params
    middle = _join((_budget(one.training) for one in params.intermediate.values()), " or ")
    trainings = [one.training for one in params.targets.values()]
    final = _join((_budget(training) for training in trainings if training is not None), " or ")
    return f"Intermediate training: {middle or 'none'}. Fine-tuning on a target: {final or 'none'}."


def _budget(training: Training) -> str:
    """`3 epochs, batch 64`: epochs let larger data have more updates, steps do not."""
    amount = f"{training.epochs:g} epochs" if training.epochs else f"{training.steps} steps"
    rates = " or ".join(f"{rate:g}" for rate in training.sweep or [training.learning_rate])
    text = f"{amount}, batch {training.batch}, learning rate {rates}"
    if training.layers == "attention":
        text += ", the head attends to all layers"
    if training.adapter:
        text += f", low-rank adapters (rank {training.adapter.rank})"
    return text


def _join(texts: Iterable[str], between: str) -> str:
    """Each text once."""
    return between.join(dict.fromkeys(texts))


def _selection(results: Results) -> str:
    trainings = [spec.training for spec in results.params.intermediate.values()]
    trainings += [s.training for s in results.params.targets.values() if s.training is not None]
    ways = {training.select for training in trainings}
    words = {
        "last": "the weights after the last update",
        "best": "the best of regular evaluations, on validation rows of the source language only",
    }
    if not ways:
        return "None."
    text = "Taken: " + " or ".join(words[way] for way in sorted(ways)) + "."
    if any(training.sweep for training in trainings):
        text += " Learning rates are tried, and the same validation rows choose."
    return text


def _seeds(results: Results) -> str:
    counts = sorted({row["seeds"] for row in results.summary})
    text = f"{' or '.join(str(count) for count in counts)} per setting."
    if counts and counts[0] == 1:
        text += " With one seed an interval is over examples alone and says nothing about training."
    return text
