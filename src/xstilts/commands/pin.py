"""`xstilts pin`: ask the hub and the URLs once what they have now, and write it to pins.yaml.

A study is compiled with these pins; a fetch then refuses whatever differs. HF_ENDPOINT, HF_TOKEN,
HF_HUB_OFFLINE and proxy variables are honoured as usual.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import yaml

from xstilts import tasks
from xstilts.commands.use import compiled
from xstilts.core import design, files, paths
from xstilts.core.errors import UserError
from xstilts.core.params import Params
from xstilts.model import published
from xstilts.study import pins
from xstilts.study.pins import Pins

TIMEOUT = 30.0  # seconds without a byte
CONVERTED = "refs/convert/parquet"  # the hub's own parquet of a data set that is a script
CONVERTER = "SFconvertbot"  # the hub's account that offers pickled weights as safetensors
OFFLINE = ("1", "on", "yes", "true")
HEAD = "# Written by `xstilts pin`: what no verified source gave. Keep it in git.\n"
MEND = "Mend: check the name, the network, HF_ENDPOINT and that HF_HUB_OFFLINE is not set"


@dataclass(frozen=True)
class Job:
    """One thing without a pin of its own."""

    section: Literal["datasets", "models", "urls"]
    name: str


def pin_all(names: list[str]) -> None:
    """Pin what is named (tasks, data sets, encoders, models, URLs), or all of the study in use.

    What pins.yaml has already is kept, unless it is named. What could be pinned is written even
    where something else fails.

    Raises:
        UserError: an unknown name, no network, no such data set, model or file.
    """
    known = pins.load()
    wanted = [job for name in names for job in jobs_of(name)]
    if not names:
        lacks = missing(_in_use())
        wanted = [job for job in lacks if job.name not in getattr(known, job.section)]
    failed: list[UserError] = []
    for job in dict.fromkeys(wanted):
        try:
            found = RESOLVERS[job.section](job.name)
        except UserError as error:
            failed.append(error)
            print(f"not pinned  {job.name}")
            continue
        value = known.model_dump()
        value[job.section][job.name] = found
        known = Pins.model_validate(value)
        files.write_bytes(paths.PINS, text(known).encode())
        print(f"pinned      {job.name}  {found.get('revision') or found['sha256']}")
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        wrong, _, mend = str(failed[0]).partition(" Mend: ")
        raise UserError(f"{wrong.removesuffix('.')}{more}. Mend: {mend}")
    if not wanted:
        print("nothing to pin: every commit and sha256 of this study is known")
    if not names:
        print(f"Next: `xstilts study use {design.in_use().study}` takes {paths.PINS} over")


def _in_use() -> Params:
    """The study in use as its files say now: a pin that was just found makes its design old."""
    used = design.in_use()
    return Params.model_validate(compiled(used.study, used.settings))


def missing(loaded: Params) -> list[Job]:
    """What a compiled study would fetch from the hub or a URL without a pin."""
    jobs = []
    for spec in loaded.fetch.values():
        if spec.source != "hub":
            continue
        if spec.configs and spec.revision is None:
            jobs.append(Job("datasets", spec.dataset))
        jobs += [Job("urls", url) for url, sha256 in spec.urls.items() if sha256 is None]
    model = loaded.pretrain
    if model.source == "hub" and model.model and model.revision is None:
        jobs.append(Job("models", model.model))
    return jobs


def jobs_of(name: str) -> list[Job]:
    """What a name on the command line stands for.

    Raises:
        UserError: it is no task, data set of a task, encoder, model or URL; or it is pinned by the
            code itself.
    """
    if name.startswith(("https://", "http://")):
        return [Job("urls", name)]
    if name in published.ENCODERS:
        return [_model(published.ENCODERS[name].hub)]
    if name in tasks.NAMES:
        found = [tasks.load(one) for one in tasks.load(name).joins or (name,)]
    else:
        found = [task for task in tasks.TASKS.values() if task.dataset == name]
    if not found and re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        return [_model(name)]
    if not found:
        raise UserError(
            f"there is no task, data set, encoder or model {name!r}. "
            "Mend: give a task's name, an encoder's name, org/name of the hub, or a URL"
        )
    jobs = [job for task in found for job in _of_task(task)]
    if not jobs:
        raise UserError(
            f"{name} has nothing to pin: its commit or sha256 stands in its task, or it is no "
            "public data. Mend: leave it out"
        )
    return jobs


def _of_task(task: Any) -> Iterable[Job]:
    """The hub data set and the URLs of a task that the task itself does not pin."""
    if task.place or task.dataset.startswith("world/"):
        return
    if task.splits and task.revision is None and set(task.splits) - set(task.urls):
        yield Job("datasets", task.dataset)
    for split in task.urls:
        for language in dict.fromkeys((*task.languages, *task.train_languages)):
            for url, sha256 in task.addresses(language, split).items():
                if sha256 is None:
                    yield Job("urls", url)


def _model(hub: str) -> Job:
    known = published.by_hub(hub)
    if known and known.revision:
        raise UserError(
            f"{hub} is pinned already, to {known.revision}. "
            "Mend: for another commit write `pretrain: {hub: {model, revision}}` in the study"
        )
    return Job("models", hub)


def _asked(what: str, ask: Callable[[], Any]) -> Any:
    """One question to the hub; whatever its client raises becomes one line."""
    try:
        return ask()
    except Exception as error:  # its classes differ from version to version
        if "NotFound" in type(error).__name__:
            wrong = f"{what} is not there, or is private"
            raise UserError(f"{wrong}. Mend: check the name, or set HF_TOKEN") from error
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{what} could not be read ({type(error).__name__}: {reason}). {MEND}"
        ) from error


def dataset(name: str) -> dict[str, Any]:
    """Commit of a data set's main, or where that is only a script, of its converted branch."""
    from huggingface_hub import HfApi

    what = f"the hub's data set {name}"
    api, ref = HfApi(), "main"
    info = _asked(what, lambda: api.dataset_info(name, timeout=TIMEOUT))
    present = [file.rfilename for file in info.siblings or []]
    script = any(file.endswith(".py") and "/" not in file for file in present)
    if script and not any(file.endswith(".parquet") for file in present):
        ref = CONVERTED
        branch = f"{what}, a script on main, on {ref}"
        info = _asked(branch, lambda: api.dataset_info(name, revision=ref, timeout=TIMEOUT))
    return {"revision": _commit(info.sha, what), "found": f"{ref} of {api.endpoint}"}


def model(name: str) -> dict[str, Any]:
    """Commit of a model's main, or where that holds pickles alone, of the hub's own conversion.

    Pickles are never read. A pull request of anybody else may hold any weights: it is for the
    user to name its commit.
    """
    from huggingface_hub import HfApi

    what, api = f"the hub's model {name}", HfApi()
    for ref, told in _branches(api, name, what):
        info = _asked(what, partial(api.model_info, name, revision=ref, timeout=TIMEOUT))
        if any(file.rfilename.endswith(".safetensors") for file in info.siblings or []):
            return {"revision": _commit(info.sha, what), "found": f"{told} of {api.endpoint}"}
    raise UserError(
        f"{what} has no safetensors on main, nor in a pull request of {CONVERTER}. Mend: have one "
        "made (the hub's space safetensors/convert), or take the commit of a conversion that you "
        "trust, and write `pretrain: {hub: {model, revision}}` in the study"
    )


def _branches(api: Any, name: str, what: str) -> Iterator[tuple[str | None, str]]:
    """Where safetensors may be (None: main), and how that is told; the newest conversion first."""
    yield None, "main"
    ask = partial(api.get_repo_discussions, name, discussion_type="pull_request")
    offered = _asked(f"the pull requests of {what}", lambda: list(ask()))
    for one in sorted(offered, key=lambda one: -one.num):
        if one.author == CONVERTER:
            yield one.git_reference, f"{one.git_reference} by {CONVERTER}"


def _commit(sha: str | None, what: str) -> str:
    """The hub's answer, which must be a whole commit."""
    if not sha or not re.fullmatch(pins.COMMIT, sha):
        raise UserError(f"{what}: the hub gave {sha!r} and no commit. {MEND}")
    return sha


def url(address: str) -> dict[str, Any]:
    """sha256 and length of a URL's bytes, which are read once and not kept."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in OFFLINE:
        raise UserError(f"{address} could not be read (offline mode is enabled). {MEND}")
    digest, length = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as stream:
            promised = stream.headers.get("Content-Length")
            while block := stream.read(files.BLOCK):
                digest.update(block)
                length += len(block)
    except (OSError, ValueError) as error:
        raise UserError(f"{address} could not be read ({error}). {MEND}") from error
    if promised is not None and int(promised) != length:
        raise UserError(f"{address} broke off after {length} of {promised} bytes. {MEND}")
    return {"sha256": digest.hexdigest(), "bytes": length, "found": "downloaded"}


RESOLVERS = {"datasets": dataset, "models": model, "urls": url}


def text(known: Pins) -> str:
    """pins.yaml: sorted, and nothing in it that depends on the day."""
    return HEAD + yaml.safe_dump(known.model_dump(), sort_keys=True, allow_unicode=True, width=100)
