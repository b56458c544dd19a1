"""The verdict on each claim, and whether one that was recorded still stands on the same rows.

A number agrees with a claim where its whole interval lies within the bounds, contradicts it where
the whole interval lies outside, and is open otherwise. Intervals are one claim's each: nothing
here corrects for the number of claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from xstilts.claims import evidence, setup
from xstilts.claims.entries import Bounds, Claim, Measure, Rule, Verdict
from xstilts.claims.evidence import Estimate, Evidence, Number, Study
from xstilts.core.files import sha256_json

Says = Literal["agrees", "contradicts", "open"]
Json = dict[str, Any]
SHOWN = 3  # of what is missing; of more the number is told
LACKS = "the study lacks "
NO_SEEDS = "no setting has two seeds: nothing says how far training scatters"
NO_INTERVAL = "a number has no interval"


@dataclass(frozen=True)
class Answer:
    """What became of a claim.

    Attributes:
        found: the number and its interval; of several their mean. None: nothing was measured.
        numbers: each number, and what it says of the claim.
        reason: why it is open or not run; for a fact of the set-up, the fact.
        rows: sha256 of the rows that it was answered from, as canonical JSON.
    """

    claim: Claim
    verdict: Verdict
    found: Estimate | None
    numbers: Sequence[tuple[Number, Says]]
    reason: str
    rows: str

    @property
    def published_within(self) -> bool | None:
        """Whether the published number lies in our interval; None where there is no such two."""
        number, found = self.claim.published, self.found
        if number is None or found is None or found.low is None or found.high is None:
            return None
        return found.low <= number <= found.high

    @property
    def as_expected(self) -> bool | None:
        """Whether the verdict is the one that the entry expects; None where it expects none."""
        return None if self.claim.expect is None else self.claim.expect == self.verdict


def answer(claim: Claim, study: Study) -> Answer:
    """Ask a study one claim."""
    check = claim.check
    if check.measured is not None:
        return _measured(claim, study, *check.measured)
    if check.setup is not None:
        found = setup.look(study.params, check.setup)
        verdict: Verdict = "not run" if found.missing else "reproduced"
        reason = _missing(found.missing) if found.missing else found.text
        return Answer(claim, verdict, None, (), reason, sha256_json(found.facts))
    return Answer(claim, "not run", None, (), check.outside or "", sha256_json([]))


def answer_all(claims: Iterable[Claim], study: Study) -> list[Answer]:
    """Answers, in the order of the claims."""
    return [answer(claim, study) for claim in claims]


def _measured(claim: Claim, study: Study, measure: Measure, bounds: Bounds) -> Answer:
    """Answer from numbers."""
    found = evidence.gather(study, measure, bounds)
    rows = sha256_json(found.rows)
    if missing := _other_targets(claim, study) or found.missing * (not found.numbers):
        return Answer(claim, "not run", None, (), _missing(missing), rows)
    whole = evidence.mean(study, found.numbers)
    sure = evidence.seeded(study)
    said: list[tuple[Number, Says]] = [
        (number, says(number.estimate, bounds) if sure else "open") for number in found.numbers
    ]
    # A mean over a part of what is named would be another number: `judge` sees what is lacking.
    mean: list[Says] = [says(whole, bounds) if sure and not found.lacking else "open"]
    votes = mean if bounds.rule == "mean" else [one for _, one in said]
    verdict = judge(votes, bounds.rule, found.lacking)
    reason = _reason(verdict, found, sure, votes)
    return Answer(claim, verdict, whole, said, reason, rows)


def says(estimate: Estimate, bounds: Bounds) -> Says:
    """What one number says of a claim."""
    low, high = estimate.low, estimate.high
    if low is None or high is None:
        return "open"
    above, below = bounds.above, bounds.below
    if (above is None or low > above) and (below is None or high < below):
        return "agrees"
    if (above is not None and high <= above) or (below is not None and low >= below):
        return "contradicts"
    return "open"


def judge(votes: Sequence[Says], rule: Rule, missing: int = 0) -> Verdict:
    """The verdict from what each number says; what is missing might have said either.

    Args:
        missing: how many numbers are missing.
    """
    agree, against, total = votes.count("agrees"), votes.count("contradicts"), len(votes) + missing
    reproduced = {"most": 2 * agree > total, "any": agree > 0}.get(rule, agree == total)
    refuted = {"most": 2 * against >= total, "any": against == total}.get(rule, against > 0)
    if reproduced:
        return "reproduced"
    if refuted:
        return "not reproduced"
    return "not run" if missing else "undecided"


def _reason(verdict: Verdict, found: Evidence, sure: bool, votes: Sequence[Says]) -> str:
    """Why there is no plain yes or no, and what is missing beside one."""
    parts = []
    if verdict == "undecided":
        bare = any(number.estimate.low is None for number in found.numbers)
        several = f"{votes.count('open')} of {len(votes)} intervals hold both"
        both = "the interval holds both" if len(votes) == 1 else several
        parts = [NO_SEEDS if not sure else NO_INTERVAL if bare else both]
    return "; ".join([*parts, *[_missing(found.missing)] * bool(found.missing)])


def _other_targets(claim: Claim, study: Study) -> list[str]:
    """What keeps `all` from being the mean that the claim is about."""
    wanted, own = claim.targets, list(study.params.targets)
    absent = [f"target {name}" for name in wanted if name not in own]
    beyond = [f"a mean without {name}" for name in own if name not in wanted]
    return (absent or beyond) if wanted else []


def _missing(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return LACKS + ", ".join(names[:SHOWN]) + more


def to_json(one: Answer) -> Json:
    """An answer as `report/<study>.claims.json` and `xstilts claims --json` have it."""
    claim, found = one.claim, one.found or Estimate(0.0, None, None)
    kept = ("id", "text", "status", "source", "where", "url", "note", "published", "expect")
    return {
        **{name: getattr(claim, name) for name in kept},
        "verdict": one.verdict,
        "value": found.value if one.found else None,
        "low": found.low,
        "high": found.high,
        "published_within": one.published_within,
        "reason": one.reason,
        "numbers": [
            {"setting": number.name, "target": number.target, **vars(number.estimate), "says": word}
            for number, word in one.numbers
        ],
        "rows_sha256": one.rows,
        "claim_sha256": sha256_json(claim.model_dump()),
    }


def content(answers: Iterable[Answer]) -> Json:
    """What report/<study>.claims.json holds: id -> answer."""
    return {"claims": {one.claim.id: to_json(one) for one in answers}}


def stale(now: Json, recorded: Mapping[str, Json]) -> str:
    """Why a recorded answer no longer stands, or "" where it does.

    Args:
        now: the answer from the rows as they are, by `to_json`.
        recorded: id -> answer, as `content` has it.
    """
    before = recorded.get(now["id"])
    if before is None:
        return "not in the report"
    if before["claim_sha256"] != now["claim_sha256"]:
        return "stale: the claim was another"
    return "" if before["rows_sha256"] == now["rows_sha256"] else "stale: answered from other rows"
