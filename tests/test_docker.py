"""The files of docker/, without Docker: what is pinned, what is open, what is left out.

`make image-lint` asks the tools themselves, `make image-test` builds and runs the images.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import compose
import pathspec
import pytest
import yaml
from test_repository import tracked

GIVEN = {name: name for name in ("POSTGRES_PASSWORD", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY")}
DIGEST = r"[\w./-]+:[\w.-]*\d[\w.-]*@sha256:[0-9a-f]{64}"


@pytest.fixture
def dockerfile(root: Path) -> str:
    return (root / "docker/Dockerfile").read_text("utf-8")


@pytest.fixture
def services(root: Path) -> dict[str, Any]:
    return compose.services(root / "docker/compose.yaml", GIVEN)


def test_images_of_others_are_pinned_by_version_and_digest(
    dockerfile: str, services: dict[str, Any]
) -> None:
    """A tag may be another image tomorrow."""
    images = dict(re.findall(r"^ARG (BASE|CUDA)=(.*)$", dockerfile, re.M))
    images |= {name: one["image"] for name, one in services.items() if "build" not in one}
    assert sorted(images) == ["BASE", "CUDA", "postgres", "store"]
    assert [image for image in images.values() if not re.fullmatch(DIGEST, image)] == []


def test_ops_has_the_compiler_of_the_cuda_that_torch_brings(root: Path, dockerfile: str) -> None:
    """Operators of another CUDA do not load."""
    lock = (root / "docker/torch-cuda.lock").read_text("utf-8")
    (toolkit,) = re.findall(r"^cuda-toolkit==(\d+\.\d+\.\d+)", lock, re.M)
    assert f"nvidia/cuda:{toolkit}-devel" in dockerfile
    assert f"/usr/local/cuda-{toolkit.rpartition('.')[0]} " in dockerfile


def test_a_layer_fails_where_any_of_its_commands_does(dockerfile: str) -> None:
    """A shell goes on after `;`: an image without its packages would be built and tagged."""
    layers = re.findall(r"^RUN (?:.*\\\n)*.*$", dockerfile, re.M)
    assert len(layers) == dockerfile.count("\nRUN ")
    goes_on = [one for one in layers if ";" in one and not one.startswith("RUN set -eu;")]
    assert goes_on == []


@pytest.mark.parametrize("missing", GIVEN)
def test_no_server_starts_without_its_password(root: Path, missing: str) -> None:
    """A default password is one that everybody knows."""
    with pytest.raises(LookupError, match=missing):
        compose.services(root / "docker/compose.yaml", GIVEN | {missing: ""})


def test_ports_listen_on_loopback_unless_told(root: Path, services: dict[str, Any]) -> None:
    """Whoever types the one command opens nothing to the network."""
    ports = [port for one in services.values() for port in one.get("ports", ())]
    assert sorted(ports) == ["127.0.0.1:5000:5000", "127.0.0.1:8333:8333"]
    told = compose.services(root / "docker/compose.yaml", GIVEN | {"XSTILTS_BIND": "10.0.0.1"})
    assert "10.0.0.1:5000:5000" in told["mlflow"]["ports"]


def test_servers_have_health_checks_and_keep_their_data(root: Path) -> None:
    """A server that hangs is seen, and `docker compose down` loses nothing."""
    whole = yaml.safe_load((root / "docker/compose.yaml").read_text("utf-8"))
    for name in ("postgres", "store", "mlflow"):
        assert whole["services"][name]["healthcheck"]["test"][0] == "CMD"
        assert whole["services"][name]["restart"] == "unless-stopped"
    kept = {name: whole["services"][name]["volumes"][0] for name in ("postgres", "store")}
    assert {one.partition(":")[0] for one in kept.values()} <= set(whole["volumes"])


def test_the_host_check_is_on(services: dict[str, Any]) -> None:
    """A page that someone visits must not be let in under the name of this machine."""
    (hosts,) = [one for one in services["mlflow"]["command"] if one.startswith("--allowed-hosts=")]
    assert "*" not in hosts
    assert not [one for one in services["mlflow"]["command"] if "disable-security" in one]


def test_the_gpu_file_changes_a_service_that_there_is(root: Path, services: dict[str, Any]) -> None:
    """An override of a name of the past is a service without an image."""
    gpu = yaml.safe_load((root / "docker/compose.gpu.yaml").read_text("utf-8"))
    assert set(gpu["services"]) <= set(services)


def test_the_example_names_every_variable(root: Path) -> None:
    """What can be set is found where it is set."""
    text = (root / "docker/compose.yaml").read_text("utf-8")
    named = set(re.findall(r"\$\{(\w+)", text))
    example = (root / "docker/env.example").read_text("utf-8")
    assert named == set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", example, re.M))


def test_the_server_has_the_packages_of_the_study_and_no_torch(root: Path) -> None:
    """An older server does not know what a newer client sends."""

    def pins(name: str) -> dict[str, str]:
        text = (root / name).read_text("utf-8")
        return dict(re.findall(r"^([\w.-]+==\S+) \\\n((?:    --hash.*\n)+)", text, re.M))

    server, study = pins("docker/server.lock"), pins("requirements.lock")
    assert {name.partition("==")[0] for name in server} >= {"mlflow", "boto3", "psycopg2-binary"}
    assert {name: hashes for name, hashes in server.items() if study.get(name) != hashes} == {}


def test_apptainer_builds_the_same_image(root: Path, dockerfile: str) -> None:
    """Two recipes of one image drift apart unless they are held together."""
    recipe = (root / "docker/apptainer.def").read_text("utf-8")
    (base,) = re.findall(r"^ARG BASE=(.*)$", dockerfile, re.M)
    assert re.findall(r"^From: (.*)$", recipe, re.M) == [base]
    study = dockerfile.partition(" AS study\n")[2].partition("\n# --- ")[0]
    ours = dict(re.findall(r"([A-Z_]+)=(\S+?)(?: \\)?$", "".join(_env(study)), re.M))
    theirs = dict(re.findall(r"^    export ([A-Z_]+)=(\S+)$", recipe, re.M))
    # Apptainer's --nv gives the GPUs; the commit is known to a clone, which is always bound.
    ours = {name: value for name, value in ours.items() if not name.startswith("NVIDIA_")}
    assert theirs == ours


def _env(stage: str) -> list[str]:
    """The ENV instructions of a stage, but that of the commit."""
    found = re.findall(r"^ENV ((?:.*\\\n)*.*\n)", stage, re.M)
    return [one for one in found if not one.startswith("XSTILTS_COMMIT")]


def test_the_image_gets_what_git_has_and_nothing_else(root: Path) -> None:
    """What is needed is in, scores and verdicts too; data, states and passwords are out."""
    lines = (root / ".dockerignore").read_text("utf-8").splitlines()
    ignored = pathspec.PathSpec.from_lines("gitignore", lines)
    left_out = [name for name in tracked(root) if ignored.match_file(name)]
    known = {".ci", ".dockerignore", ".github", ".gitignore", ".pre-commit-config.yaml", "bench"}
    assert {name.parts[0] for name in left_out} - known == {".dvc"}
    assert [name for name in left_out if name.parts[0] == ".dvc"] == [Path(".dvc/.gitignore")]
    secret = (".env", "docker/.env", ".dvc/config.local", "machine.yaml", "mlruns/mlflow.db")
    made = ("data/x", "models/x", "results/predictions/x", "report/demo/index.html", ".git/config")
    assert [name for name in (*secret, *made) if not ignored.match_file(name)] == []


def test_git_leaves_passwords_out(root: Path) -> None:
    """The file that compose reads them from lies in the clone."""
    done = subprocess.run(["git", "check-ignore", "-q", "docker/.env"], cwd=root, check=False)
    assert done.returncode == 0


def test_the_cloud_task_asks_for_what_it_cannot_know(root: Path) -> None:
    """No default bucket or key; and a secret is handed on by its name, never by its value."""
    task = yaml.safe_load((root / "docker/skypilot.yaml").read_text("utf-8"))
    assert task["envs"]["IMAGE"] is task["envs"]["REMOTE"] is None
    assert set(task["secrets"].values()) == {None}
    text = task["setup"] + task["run"]
    assert subprocess.run(["bash", "-n", "-c", text], check=False).returncode == 0
    for name in task["secrets"]:
        assert re.findall(rf"\S+ \S*{name}\S*", text) == [f"--env {name}"]
    for name in task["envs"]:
        assert re.search(rf"--env {name}\b|\"\${name}\"", text), name
