"""Not a test: real servers on loopback, each ended by who started it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # where Debian has them


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 10, server: subprocess.Popen[bytes] | None = None) -> None:
    """Until a server listens, if it lives."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (server is None or server.poll() is None):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


@contextmanager
def s3(access: str, secret: str, buckets: Iterable[str]) -> Iterator[int]:
    """An S3-compatible server with some buckets: its port. It takes any key."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    keys = {"aws_access_key_id": access, "aws_secret_access_key": secret}
    place = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    for bucket in buckets:
        boto3.client("s3", **place, **keys).create_bucket(Bucket=bucket)
    try:
        yield port
    finally:
        server.stop()


@contextmanager
def postgres(settings: Mapping[str, str], log: Path) -> Iterator[int]:
    """PostgreSQL with the database and password that its official image is given: its port."""
    path = os.pathsep.join(map(str, [*POSTGRES[-1:], os.environ["PATH"]]))
    initdb, server = (shutil.which(name, path=path) for name in ("initdb", "postgres"))
    if initdb is None or server is None:
        pytest.skip("there is no PostgreSQL here (Debian: apt-get install postgresql)")
    # It does not run as root, and pytest's folders are closed to others.
    user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
    try:
        password = folder / "password"
        password.write_text(settings["POSTGRES_PASSWORD"])
        if user:
            for one in (folder, password):
                shutil.chown(one, **user)
        data = str(folder / "data")
        command = [initdb, data, "--no-sync", f"--pwfile={password}"]
        command += [f"--username={settings['POSTGRES_USER']}", "--auth-local=scram-sha-256"]
        command += settings["POSTGRES_INITDB_ARGS"].split()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
        command = [server, "-D", data, "-p", str(port), "-k", str(folder), "-c", "fsync=off"]
        with log.open("wb") as out:
            process = subprocess.Popen(command, stderr=out, cwd=folder, **user)
        try:
            wait_for(port)
            _create(settings, port)
            yield port
        finally:
            process.terminate()
            process.wait()
    finally:
        shutil.rmtree(folder)


def _create(settings: Mapping[str, str], port: int) -> None:
    """The database, as the image makes it at its first start."""
    import psycopg2

    user, password = settings["POSTGRES_USER"], settings["POSTGRES_PASSWORD"]
    connection = psycopg2.connect(
        host="127.0.0.1", port=port, user=user, password=password, dbname="postgres"
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {settings['POSTGRES_DB']}")
    connection.close()
