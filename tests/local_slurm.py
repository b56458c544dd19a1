"""A SLURM on loopback: munge, slurmctld and a slurmd a node, with all their files in one folder.

Nothing is read from or written to /etc. The daemons stay children of this process, which ends them.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")  # Debian: munge, slurmctld, slurmd, slurm-client
PLACES = "/usr/sbin:/usr/local/sbin"
CONF = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its credential has expired: two minutes, if nothing is said.
AuthInfo=socket={folder}/munge.sock,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
NODE = (
    "NodeName={name} NodeAddr=127.0.0.{number} Port={port} CPUs=2 RealMemory=2000 State=UNKNOWN\n"
)
# slurmd 22.05 does not start without a cgroup plugin, though none is used.
CGROUP = "CgroupPlugin=cgroup/v1\nCgroupAutomount=yes\n"


def missing() -> str:
    """The first program that is not here, or ''."""
    path = f"{os.environ['PATH']}:{PLACES}"
    names = (*DAEMONS, "sbatch", "squeue", "scontrol", "scancel")
    return next((name for name in names if shutil.which(name, path=path) is None), "")


@contextmanager
def slurm(count: int = 1) -> Iterator[dict[str, str]]:
    """Start it.

    Args:
        count: nodes, all of which are this machine.

    Yields:
        What its commands need in the environment.
    """
    host = socket.gethostname()
    nodes = [host, *(f"{host}-{number}" for number in range(2, count + 1))]
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: a socket's path has 108 bytes
    environment = {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PATH": f"{os.environ['PATH']}:{PLACES}",
    }
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in _prepared(folder, nodes):
            daemons.append(_started(command, folder, environment))
        _until_idle(environment, folder, count)
        yield environment
    finally:
        _cancel_all(environment)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
        shutil.rmtree(folder)


def _prepared(folder: Path, nodes: Sequence[str]) -> list[list[str]]:
    """Write the configuration; the daemons' commands, in the foreground."""
    folder.chmod(0o755)  # munge refuses a folder that others may write to
    for name in ("state", *(f"spool-{node}" for node in nodes)):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    port, *ports = _free(1 + len(nodes))
    conf = folder / "slurm.conf"
    known = [
        NODE.format(name=node, number=number, port=one)
        for number, (node, one) in enumerate(zip(nodes, ports, strict=True), 1)
    ]
    text = CONF.format(folder=folder, port=port, user=getpass.getuser())
    conf.write_text(text + "".join(known))
    (folder / "cgroup.conf").write_text(CGROUP)
    files = {"key-file": "key", "socket": "sock", "pid-file": "pid", "log-file": "log"}
    places = [f"--{option}={folder}/munge.{end}" for option, end in files.items()]
    munge = ["munged", "--foreground", "--force", f"--seed-file={folder}/munge.seed", *places]
    daemons = [["slurmd", "-D", "-N", node] for node in nodes]
    return [munge, ["slurmctld", "-D", "-f", str(conf)], *daemons]


def _free(count: int) -> list[int]:
    """Ports of loopback that nobody listens on."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _started(
    command: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """A daemon; munge's socket is waited for, as the others need it."""
    with (folder / f"{command[0]}.out").open("ab") as out:
        daemon = subprocess.Popen(
            command, env=os.environ | environment, stdout=out, stderr=out, start_new_session=True
        )
    while command[0] == "munged" and not (folder / "munge.sock").exists():
        assert daemon.poll() is None, (folder / "munged.out").read_text()
        time.sleep(0.1)
    return daemon


def _until_idle(environment: dict[str, str], folder: Path, nodes: int) -> None:
    """Wait for all nodes."""
    ask = ("sinfo", "--noheader", "--Node", "--format=%t")
    for _ in range(60):
        if said(environment, *ask).split() == ["idle"] * nodes:
            return
        time.sleep(0.5)
    logs = [path.read_text(errors="replace")[-2000:] for path in folder.glob("*.log")]
    raise AssertionError("\n".join(["SLURM did not come up", *logs]))


def said(environment: dict[str, str], *command: str) -> str:
    """What one of SLURM's commands printed."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    return done.stdout


def _cancel_all(environment: dict[str, str]) -> None:
    """No job outlives the test."""
    said(environment, "scancel", f"--user={getpass.getuser()}")
    for _ in range(60):
        if not said(environment, "squeue", "--noheader").strip():
            return
        time.sleep(0.5)
