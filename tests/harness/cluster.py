"""A real Ray cluster of several nodes on this machine, with its own token, ports and folder."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

STARTED = "Ray runtime started"
RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True)
class Cluster:
    """Where it is, and the environment in which its users find it."""

    address: str
    dashboard: str
    folder: Path
    environment: dict[str, str]


@contextlib.contextmanager
def cluster(*cpus: int, dashboard: bool = True) -> Iterator[Cluster]:
    """`ray start --head` and one more node for each further number of CPUs; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="glm-ray-"))  # short: sockets' paths have a limit
    (folder / "token").write_text(secrets.token_hex(32))
    hidden = ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "OMP_NUM_THREADS", "PYTHONPATH")
    environment = {k: v for k, v in os.environ.items() if k not in hidden} | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_TMPDIR": f"{folder}/0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_raylet_start_wait_time_s": "120",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.3",
    }
    gcs, http, client, *agents = ports(3 + len(cpus))
    address, web = f"127.0.0.1:{gcs}", f"http://127.0.0.1:{http}"
    first = ["--head", f"--port={gcs}", f"--ray-client-server-port={client}"]
    if dashboard:
        first += ["--dashboard-host=127.0.0.1", f"--dashboard-port={http}"]
    else:
        first += ["--include-dashboard=false"]
    nodes = []
    try:
        for number, (count, agent) in enumerate(zip(cpus, agents, strict=True)):
            where = [f"--address={address}"] if number else first
            # Nodes unpack what jobs bring into their own folders, as they would on machines apart.
            own = environment | {"RAY_TMPDIR": f"{folder}/{number}"}
            os.mkdir(own["RAY_TMPDIR"])
            nodes.append(_node([*where, f"--num-cpus={count}"], agent, own, folder))
            _until(lambda n=number: _log(folder).count(STARTED) > n, nodes, folder)
        yield Cluster(address, web, folder, environment)
    finally:
        for node in reversed(nodes):
            node.terminate()
        for node in nodes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.wait(10)
        left_over(folder, end=True)
        for node in nodes:
            node.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _node(
    options: list[str], agent: int, environment: dict[str, str], folder: Path
) -> "subprocess.Popen[bytes]":
    """One node, as long as this process is not terminated."""
    same = ["--block", "--node-ip-address=127.0.0.1", f"--object-store-memory={80 * 2**20}"]
    with open(folder / "start.log", "ab") as log:
        return subprocess.Popen(
            [
                RAY,
                "start",
                *options,
                *same,
                f"--dashboard-agent-listen-port={agent}",
                f"--temp-dir={environment['RAY_TMPDIR']}/ray",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _until(
    happens: Callable[[], bool], nodes: "list[subprocess.Popen[bytes]]", folder: Path
) -> None:
    end = time.monotonic() + 150
    while not happens():
        if time.monotonic() > end or any(node.poll() is not None for node in nodes):
            raise AssertionError(_log(folder))
        time.sleep(0.1)


def _log(folder: Path) -> str:
    return (folder / "start.log").read_text()


def ports(count: int) -> list[int]:
    """Free ports of the loopback interface."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def left_over(folder: Path, *, end: bool = False) -> list[str]:
    """Command lines of processes that name the cluster's folder, or have it as Ray's; `end` them.

    Ray gives a node's processes a few seconds to go by themselves.
    """
    until, found = time.monotonic() + 5, {}
    while time.monotonic() < until and (found := _of(folder)):
        time.sleep(0.2)
    for pid in found if end else ():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return list(found.values())


def _of(folder: Path) -> dict[int, str]:
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            where = process.environ().get("RAY_TMPDIR", "")
            if where.startswith(f"{folder}/") and process.cmdline():
                found[process.pid] = " ".join(process.cmdline())
    return found
