"""Stage `check`: no training row may be a scored row, unless the study says why.

Run by `xstilts check` or `dvc repro`. Compares every training set and every set that chooses a
model with every scored set (rows/leaks.py says how) and writes, for git,

    statistics/<study>/overlap.json         counts of each pair that shares anything
    statistics/<study>/check/record.json    what was read

and `data/check/<study>/verdict.json`, whose content is always the same, so that what trains
depends on the verdict and not on the counts.
"""

from __future__ import annotations

from pathlib import Path

from xstilts.core import files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.core.progress import Observe, Record
from xstilts.records import record
from xstilts.rows.leaks import Pair, compare, forbidden, leaked, pair_name, parts, reached

VERDICT = {"verdict": "no training row is scored, but for what the study allows"}


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
    inputs = {path for part in parts(spec) for names in part.values() for path in names}
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


def _refused(study: str, bad: list[Pair]) -> UserError:
    """One line on the worst pair; the rest is in the file."""
    worst = max(bad, key=leaked)
    more = f"; {len(bad) - 1} more in" if len(bad) > 1 else "; see"
    return UserError(
        f"training rows of {worst['training']} are scored: {leaked(worst)} of {worst['rows']} rows "
        f"of {worst['evaluation']} in {worst['language']!r} (exact {worst['exact']}, normalised "
        f"{worst['normalised']}, same id {worst['same_id']}; e.g. id {worst['example']}){more} "
        f"{paths.statistics(study, 'overlap')}. Mend: leave that language or task out, or say "
        f'`allow_overlap: {{"{pair_name(worst)}": why}}` in {paths.study_file(study)}'
    )
