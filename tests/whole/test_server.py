"""The servers of docker/compose.yaml, without containers: a study is tracked there, and seen.

PostgreSQL is Debian's and the store a stand-in for SeaweedFS; `mlflow server` runs with the very
command and environment of the file, in which only addresses and ports are replaced.
"""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import compose
import projects
import pytest
import servers

pytestmark = pytest.mark.slow
GIVEN = {
    "POSTGRES_PASSWORD": "planted-postgres-password",
    "S3_ACCESS_KEY_ID": "planted-access-key",
    "S3_SECRET_ACCESS_KEY": "planted-secret-key",
    "XSTILTS_HOST": "lab.example.org",
}
PORTS = {"postgres:5432": "database", "store:8333": "store", ":5000": "mlflow", "=5000": "mlflow"}


@dataclass(frozen=True)
class Team:
    """Where the servers are, what the file says of them, and where they log."""

    ports: dict[str, int]
    services: dict[str, Any]
    logs: Path

    @property
    def address(self) -> str:
        """What a member of the team writes into MLFLOW_TRACKING_URI."""
        return f"http://127.0.0.1:{self.ports['mlflow']}"

    def here(self, text: str) -> str:
        """A setting of the file, for this machine."""
        for there, name in PORTS.items():
            host = "127.0.0.1" if there[0].isalpha() else ""
            start = "=" if there[0] == "=" else f"{host}:"
            text = text.replace(there, f"{start}{self.ports[name]}")
        return text.replace("--host=0.0.0.0", "--host=127.0.0.1")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """All three servers, as `docker compose up` starts them."""
    services = compose.services(projects.ROOT / "docker/compose.yaml", GIVEN)
    logs = tmp_path_factory.mktemp("logs")
    store = services["store"]
    (buckets,) = [one for one in store["command"] if one.startswith("-bucket=")]
    keys = [store["environment"][f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")]
    database = services["postgres"]["environment"]
    names = buckets.removeprefix("-bucket=").split(",")
    with servers.postgres(database, logs / "postgres") as first, servers.s3(*keys, names) as second:
        ports = {"database": first, "store": second, "mlflow": servers.free_port()}
        found = Team(ports, services, logs)
        command = [found.here(one) for one in services["mlflow"]["command"]]
        settings = services["mlflow"]["environment"].items()
        environment = projects.environment(**{name: found.here(text) for name, text in settings})
        with (logs / "mlflow").open("wb") as out:
            server = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=logs)
        try:
            servers.wait_for(ports["mlflow"], 120, server)
            yield found
        finally:
            server.terminate()
            server.wait()


@pytest.fixture(scope="module")
def tracked(
    team: Team, tmp_path_factory: pytest.TempPathFactory, new_study: Callable[[], dict[str, Any]]
) -> Path:
    """A project whose study ran with nothing but the server's address: no key of the store."""
    folder = projects.make(tmp_path_factory.mktemp("tracked") / "project", new_study())
    said = projects.run(folder, "dvc", "repro", MLFLOW_TRACKING_URI=team.address)
    assert len(projects.stages_run(said)) == projects.STAGES
    assert "not in MLflow" not in said
    return folder


def ask(url: str, body: Any = None, **headers: str) -> tuple[int, str]:
    """Status and body of an answer."""
    data = json.dumps(body).encode() if body is not None else None
    named = {"Content-Type": "application/json"} | headers
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, named), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def objects(team: Team) -> list[str]:
    """The keys of the objects in the store's bucket for artifacts."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{team.ports['store']}",
        region_name="us-east-1",
        aws_access_key_id=GIVEN["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=GIVEN["S3_SECRET_ACCESS_KEY"],
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="mlflow")
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def test_runs_are_in_the_database_and_artifacts_in_the_store(team: Team, tracked: Path) -> None:
    """A member's machine knows the server alone; what it sends comes to lie where backups are."""
    import psycopg2
    from mlflow import MlflowClient, artifacts

    runs = tracked_runs(team)
    login = {"user": "mlflow", "dbname": "mlflow", "host": "127.0.0.1"}
    with psycopg2.connect(
        **login, port=team.ports["database"], password=GIVEN["POSTGRES_PASSWORD"]
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'")
        assert cursor.fetchone() == (len(runs),)
    record = tracked / "results/transfer/small/none-s1/record.json"
    (run,) = [one for one in runs if one.info.run_name == "transfer none-s1"]
    client = MlflowClient(team.address)
    names = [one.path for one in client.list_artifacts(run.info.run_id)]
    assert record.name in names
    got = artifacts.download_artifacts(
        f"{run.info.artifact_uri}/{record.name}", tracking_uri=team.address
    )
    assert Path(got).read_bytes() == record.read_bytes()
    assert any(run.info.run_id in key and key.endswith(record.name) for key in objects(team))


def tracked_runs(team: Team) -> list[Any]:
    """The finished runs of the study, as MLflow's client gets them."""
    from mlflow import MlflowClient

    client = MlflowClient(team.address)
    study = client.get_experiment_by_name("small")
    assert study is not None
    query = "attributes.status = 'FINISHED'"
    return list(client.search_runs([study.experiment_id], query, max_results=1000))


def test_a_second_sync_adds_nothing(team: Team, tracked: Path) -> None:
    """What was tracked live is known to the server by its record."""
    said = projects.run(tracked, "xstilts", "track", "sync", MLFLOW_TRACKING_URI=team.address)
    assert "runs added: 0" in said


def test_other_hosts_and_pages_are_refused(team: Team) -> None:
    """A page that someone visits must not read or write the team's runs in their name."""
    search = f"{team.address}/ajax-api/2.0/mlflow/experiments/search"
    question = {"max_results": 1}
    assert ask(search, question)[0] == 200
    assert ask(search, question, Host="evil.example.org")[0] == 403
    assert ask(search, question, Origin="https://evil.example.org")[0] == 403
    assert ask(search, question, Host="lab.example.org", Origin="https://lab.example.org")[0] == 200


def test_the_database_wants_its_password(team: Team) -> None:
    """Else anyone on the machine would write to it."""
    import psycopg2

    place = {"host": "127.0.0.1", "port": team.ports["database"]}
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(**place, user="mlflow", dbname="mlflow", password="wrong")


def test_no_password_is_in_a_log_or_a_run(team: Team, tracked: Path) -> None:
    """Logs are shown to others, and so is the store."""
    secrets = [secret for name, secret in GIVEN.items() if name != "XSTILTS_HOST"]
    told = [path.read_text("utf-8", "replace") for path in team.logs.iterdir()]
    told += [str(run.to_dictionary()) for run in tracked_runs(team)]
    assert not [secret for secret in secrets for text in told if secret in text]


def test_the_ui_shows_the_study(team: Team, tracked: Path, tmp_path: Path) -> None:
    """A browser that opens the address that the project prints finds the runs by their names."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no browser here (Debian: apt-get install chromium)")
    code = "import sys; from xstilts.records import tracking\nprint(tracking.link(*sys.argv[1:]))"
    asked = [sys.executable, "-c", code, "small", "transfer", team.address]
    link = projects.run(tracked, *asked, MLFLOW_TRACKING_URI=team.address)
    (url,) = re.findall(r"http\S+", link)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=60000", "--dump-dom", url]
    for _ in range(3):  # the page asks the server several times; a slow answer leaves it empty
        page = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if "transfer none-s1" in page.stdout:
            break
    for name in ("transfer none-s1", "transfer world_qa-qaa-40-s1"):
        assert name in page.stdout, page.stdout[-2000:]
