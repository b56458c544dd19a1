"""Stage `check`: no training row may be a scored row, unless the study says why.

Run by `xstilts check` or `dvc repro`. Compares every training set and every set that chooses a
model with every scored set (overlap.py says how) and writes, for git,

    statistics/<study>/overlap.json         counts of each pair that shares anything
    statistics/<study>/check/record.json    what was read

and `data/check/<study>/verdict.json`, whose content is always the same, so that what trains
depends on the verdict and not on the counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xstilts import files, overlap, paths, record
from xstilts.errors import UserError
from xstilts.observe import Advance, Observe, Record
from xstilts.params import Check, Params

VERDICT = {"verdict": "no training row is scored, but for what the study allows"}
# A target's own training rows reach the scores of that target only.
APART = "no model is trained on the one and scored on the other"
LEAKS = ("exact", "normalised", "same_id")  # a shared first text alone is reported
Pair = dict[str, Any]


def run(params: Params, key: str, observe: Observe) -> Record:
    """Compare and count; `key` is the study's name.

    Raises:
        UserError: a training set holds scored rows and the study does not say why; a file is
            missing or corrupt. Then overlap.json is there to be read, and no verdict.
    """
    spec = params.check
    verdict = paths.checked(key) / "verdict.json"
    verdict.unlink(missing_ok=True)
    found = compare(spec, reached(params), observe)
    files.write_json(paths.statistics(key, "overlap"), found)
    bad = [pair for pair in found["pairs"] if forbidden(pair)]
    if bad:
        raise _refused(key, bad)
    inputs = {path for part in _parts(spec) for names in part.values() for path in names}
    metrics = {
        "checked": float(found["checked"]),
        "allowed": float(sum(pair["allowed"] is not None for pair in found["pairs"])),
        "sharing_a_first_text": float(len(found["pairs"])),
        "unused_permissions": float(len(found["unused"])),
    }
    made = record.make(params, "check", key, spec, sorted(map(Path, inputs)), metrics)
    files.write_json(paths.check_record(key) / "record.json", made)
    files.write_json(verdict, VERDICT)
    return made


def _parts(spec: Check) -> tuple[dict[str, list[str]], ...]:
    return spec.training, spec.selection, spec.evaluation


def reached(params: Params) -> dict[str, set[str]]:
    """Prepared training file -> the targets whose scores a model trained on it enters.

    Intermediate rows are not in it: they reach every target.
    """
    found: dict[str, set[str]] = {}
    for name, target in params.targets.items():
        for path in (target.train_rows, *(before.rows for before in target.before)):
            if path:
                found.setdefault(path, set()).add(name)
    for subsample in params.subsample.values():
        for path in (path for subset in subsample.subsets for path in subset.rows):
            found.pop(path, None)
    return found


def compare(spec: Check, reach: dict[str, set[str]], observe: Observe) -> dict[str, Any]:
    """What overlap.json holds: pairs that share anything, sorted, and what was looked at.

    Args:
        reach: see `reached`.
    """
    total = sum(len(names) for part in _parts(spec) for names in part.values())
    with observe.progress("check", total) as advance:
        scored = dict(_scored(spec, advance))
        training, sizes = _against(spec.training, scored, spec.allow, advance)
        selection, _ = _against(spec.selection, scored, spec.allow, advance)
    for pair in training:
        names = spec.training[pair["training"]]
        if all(pair["evaluation"] not in reach.get(name, {pair["evaluation"]}) for name in names):
            pair["allowed"] = pair["allowed"] or APART
    used = {_name(pair) for pair in training + selection if _leaks(pair)}
    return {
        "pairs": training,
        "selection": selection,
        "checked": len(spec.training) * len(scored),
        "training_rows": sizes,
        "unused": sorted(spec.allow.keys() - used),
    }


def _scored(spec: Check, advance: Advance) -> Iterator[tuple[tuple[str, str], overlap.Sheet]]:
    """((target, language), hashes) of each scored file; a ranking's candidates are not scored."""
    for target, names in sorted(spec.evaluation.items()):
        for path in map(Path, sorted(names)):
            language, split = path.name.split(".")[:2]
            if split != "candidates":
                yield (target, language), overlap.read(path)
            advance(1)


def _against(
    part: dict[str, list[str]],
    scored: dict[tuple[str, str], overlap.Sheet],
    allow: dict[str, str],
    advance: Advance,
) -> tuple[list[Pair], dict[str, int]]:
    """Pairs that share anything, and the rows of each task; one task is in memory at a time."""
    pairs, sizes = [], {}
    for task, names in sorted(part.items()):
        sheets = []
        for name in names:
            sheets.append(overlap.read(Path(name)))
            advance(1)
        seen = overlap.Seen(sheets)
        sizes[task] = seen.size
        for (target, language), sheet in scored.items():
            pair: Pair = {"training": task, "evaluation": target, "language": language}
            pair |= {**seen.compare(sheet), "allowed": allow.get(_name(pair))}
            if pair["shared_first_text"] or pair["same_id"]:
                pairs.append(pair)
    return pairs, sizes


def _name(pair: Pair) -> str:
    """A pair as `allow_overlap` names it."""
    return f"{pair['training']} > {pair['evaluation']}"


def _leaks(pair: Pair) -> int:
    """Scored rows found among the training rows, by the way that finds most."""
    return max(pair[name] for name in LEAKS)


def forbidden(pair: Pair) -> bool:
    """Whether a pair of overlap.json holds scored rows that nothing allows."""
    return _leaks(pair) > 0 and pair["allowed"] is None


def _refused(study: str, bad: list[Pair]) -> UserError:
    """One line on the worst pair; the rest is in the file."""
    worst = max(bad, key=_leaks)
    more = f"; {len(bad) - 1} more in" if len(bad) > 1 else "; see"
    return UserError(
        f"training rows of {worst['training']} are scored: {_leaks(worst)} of {worst['rows']} rows "
        f"of {worst['evaluation']} in {worst['language']!r} (exact {worst['exact']}, normalised "
        f"{worst['normalised']}, same id {worst['same_id']}; e.g. id {worst['example']}){more} "
        f"{paths.statistics(study, 'overlap')}. Mend: leave that language or task out, or say "
        f'`allow_overlap: {{"{_name(worst)}": why}}` in {paths.study_file(study)}'
    )
