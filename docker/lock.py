"""Write requirements.lock and the locks of docker/ from pyproject.toml.

    pip download --no-deps --dest wheels torch==2.13.0   # the CPU build, from PyTorch's CPU index
    python docker/lock.py wheels                         # [--upgrade]; needs pip-tools

Run it from the project root with Python 3.11 on linux x86_64. The locks are for 3.11 to 3.13: they
have the hashes of all files of a version, and a backport does no harm where it is not needed.
Versions already in requirements.lock stay, unless pyproject.toml changed them or with --upgrade.

torch is published twice under one version: a CPU build, and a CUDA build that wants NVIDIA's
libraries. So each has a lock of its own, and requirements.lock holds all the rest. One torch with
the hashes of both does not work: pip then takes the CUDA build, even with a CPU wheel at hand.
What the CUDA build wants is asked of pip, when torch's version has changed.

docker/server.lock is the part of requirements.lock that the tracking server needs, so that it has
the MLflow of those who write to it, and no torch.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PYTHONS = ("3.11", "3.12", "3.13")
LOCK = Path("requirements.lock")
CPU, CUDA = Path("docker/torch-cpu.lock"), Path("docker/torch-cuda.lock")
SERVER = Path("docker/server.lock")
SERVED = ("boto3", "mlflow", "psycopg2-binary")  # of requirements.lock, with what they bring along
EXTRAS = ["--extra=dev", "--extra=server"]
COMPILE = [
    "--allow-unsafe",  # setuptools too
    "--generate-hashes",
    "--no-emit-find-links",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-header",
    "--quiet",
    "--strip-extras",
]
HEAD = """\
# {what}, with hashes.
# For {pythons} on linux x86_64. Made by docker/lock.py; used by `make install` and by the image:
#     pip install --require-hashes --no-deps -r docker/torch-{build}.lock -r requirements.lock
"""
SERVER_HEAD = """\
# What the tracking server runs on: MLflow, PostgreSQL's and S3's clients, with hashes.
# For Python 3.11 on linux x86_64. Made by docker/lock.py from requirements.lock; used by the image:
#     pip install --require-hashes --no-deps -r docker/server.lock
"""
EVERY = "Python 3.11 to 3.13"
ALL = "All that pyproject.toml, its [dev] and its [server] bring along, but for torch"


def main() -> None:
    """Compile, resolve the CUDA build, write all files."""
    folder = Path(sys.argv[1])
    wheels = sorted(folder.glob("torch-*+cpu-cp311-*_x86_64.whl"))
    if not wheels:
        sys.exit(f"{folder} holds no CPU wheel of torch for Python 3.11 (torch-*+cpu-cp311-*.whl)")
    sha256 = hashlib.sha256(wheels[-1].read_bytes()).hexdigest()
    version = wheels[-1].name.split("-")[1].removesuffix("+cpu")
    known = LOCK.read_text() if LOCK.exists() and "--upgrade" not in sys.argv else ""
    text = compiled([*EXTRAS, f"--find-links={folder}", "pyproject.toml"], known)
    write(text, version, sha256, cuda_pins(version))
    SERVER.write_text(SERVER_HEAD + served())


def compiled(arguments: list[str], known: str = "") -> str:
    """pip-compile's lock; it keeps the versions of the lock that is known."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "out.lock"
        if known:
            out.write_text(known)
        command = [sys.executable, "-m", "piptools", "compile", *COMPILE, f"--output-file={out}"]
        subprocess.run([*command, *arguments], check=True)
        return out.read_text()


def served() -> str:
    """The part of requirements.lock that the tracking server needs."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as names:
        names.write("\n".join(SERVED))
        names.flush()
        return compiled(["--no-annotate", f"--constraint={LOCK}", names.name])


def cuda_pins(version: str) -> dict[str, str]:
    """Package -> its pin, for the CUDA build; those of the last lock where torch is the same.

    Asking anew costs 3 GB of traffic where an index offers wheels only whole.
    """
    if CUDA.exists() and f"\ntorch=={version} " in CUDA.read_text():
        texts = re.findall(r"^[\w.-]+==.*\n(?:    .*\n)+", CUDA.read_text(), flags=re.M)
        return {text.partition("==")[0]: text for text in texts}
    found: dict[tuple[str, str], set[str]] = {}
    for python in PYTHONS:
        for package in resolved(f"torch==={version}", python):  # === leaves the build +cpu out
            named = package["metadata"]["name"].lower(), package["metadata"]["version"]
            found.setdefault(named, set()).add(digest(package))
    return {name: pin(name, own, *sorted(hashes)) for (name, own), hashes in found.items()}


def resolved(requirement: str, python: str) -> list[dict[str, Any]]:
    """What pip would install for a requirement under a Python, with the files' hashes."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report=-"]
    command += ["--ignore-installed", "--only-binary=:all:", f"--python-version={python}"]
    command += ["--target=unused", requirement]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    packages: list[dict[str, Any]] = json.loads(done.stdout)["install"]
    return packages


def write(text: str, version: str, cpu_sha256: str, cuda: dict[str, str]) -> None:
    """Take torch out of pip-compile's lock; each build of it goes with what only it needs."""
    text, count = re.subn(r"^torch==.*\n(?:    .*\n)+", "", text, flags=re.M)
    if count != 1:
        sys.exit(f"expected one torch in the compiled lock, found {count}")
    LOCK.write_text(HEAD.format(what=ALL, build="<cpu or cuda>", pythons=EVERY) + text)
    cpu = pin("torch", f"{version}+cpu", cpu_sha256)
    CPU.write_text(HEAD.format(what="torch's CPU build", build="cpu", pythons="Python 3.11") + cpu)
    known = {name.lower() for name in re.findall(r"^([\w.-]+)==", text, flags=re.M)}
    pins = [cuda[name] for name in sorted(cuda) if name.replace("_", "-") not in known]
    what = "torch's CUDA build and what only it needs"
    CUDA.write_text(HEAD.format(what=what, build="cuda", pythons=EVERY) + "".join(pins))


def pin(name: str, version: str, *hashes: str) -> str:
    """One package of a lock."""
    return (
        " \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{one}" for one in hashes)]) + "\n"
    )


def digest(package: dict[str, Any]) -> str:
    """sha256 of the file that pip chose."""
    return str(package["download_info"]["archive_info"]["hashes"]["sha256"])


if __name__ == "__main__":
    main()
