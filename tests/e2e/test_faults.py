#!/usr/bin/env python3
"""Bad days: a full disk, no journal, a bus that keeps dying, no descriptors, no processes, nothing that can be written."""
import contextlib
import http.client
import json
import os
import shutil
import socket
import time
from pathlib import Path

import tap
from node import Node, eventually
from tap import Skip, test

TARGET = "faults.target"
V1, V2 = "/system/health/v1", "/system/health/v2/node"
FAIL_ALLOC = Path(os.environ.get("DIAG_FAKES", Path(__file__).parents[2] / "build/tests")) / "agentd_fail_alloc"
DBUS = ("dbus.socket", "dbus.service")
JOURNALD = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket",
            "systemd-journald.service")
OFTEN = "[Unit]\nStartLimitIntervalSec=0\n"
RUNNING = OFTEN + "[Service]\nExecStart=/bin/sleep infinity\n"
UNITS = {
    TARGET: "[Unit]\nDescription=What is watched\n",
    "good.service": RUNNING,
    "flip.service": RUNNING,
    "once.service": OFTEN + "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "failed.service": OFTEN + "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo these are its words; exit 3'\n",
}
CODES = {"good.service": "ok", "flip.service": "ok", "once.service": "done", "failed.service": "exit-code"}
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534")
PATIENCE = 15       # seconds until all is well again: a few ticks


@contextlib.contextmanager
def node():
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in CODES}
    with Node("faults", units=UNITS, links=links) as n:
        n.systemctl("start", TARGET)
        eventually(lambda: n.systemctl("is-failed", "failed.service", check=False) == "failed")
        yield n


class Agent:
    def __init__(self, node, *before, runtime="/run/faults", environment=(), options=(), port=None):
        self.node, self.port = node, port
        self.socket = None if port else f"{runtime}/agent.sock"
        listen = () if port else ("--listen", f"unix:{self.socket}")
        node.exec("mkdir", "-p", "-m", "777", runtime)
        node.exec("chmod", "777", runtime)
        self.daemon = node.start(*before, "env", f"RUNTIME_DIRECTORY={runtime}", *environment, "diag-agentd",
                                 "--target", TARGET, *listen, *options)
        eventually(lambda: self.v2()["phase"] == "running")

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        with contextlib.suppress(AssertionError):
            assert failed or self.daemon.running, self.daemon.output()
        alive = self.daemon.running
        status = self.daemon.stop()
        self.node.daemons.remove(self.daemon)
        assert failed or (alive and status == 0), f"{status}: {self.daemon.output()}"

    def where(self):
        return {"port": self.port} if self.port else {"unix": self.socket}

    def request(self, method, url, body=None):
        return self.node.request(method, url, {"Content-Type": "application/json"} if body else None,
                                 body and json.dumps(body), **self.where())

    def v2(self):
        return self.request("GET", V2).json()

    def component(self, name):
        return next(c for c in self.v2()["components"] if c["name"] == name)

    def codes(self):
        return {c["name"]: c["code"] for c in self.v2()["components"]}

    def tells(self, timeout=PATIENCE, **other):
        """All of the truth: CODES, but for these."""
        want = {**CODES, **{f"{name}.service": code for name, code in other.items()}}

        def looks_right():
            codes = self.codes()
            assert codes == want, codes
            return True

        eventually(looks_right, timeout)

    def follows(self):
        """A change in both directions."""
        self.node.systemctl("stop", "flip.service")
        try:
            self.tells(flip="stopped")
        finally:
            self.node.systemctl("start", "flip.service")
        self.tells()

    def lines(self, *words):
        return [line for line in self.daemon.output().splitlines() if all(w in line for w in words)]

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.daemon.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_calm(self, seconds=2):
        """Waits instead of spinning: a loop that spins would take all of a processor."""
        before, begun = self.cpu_seconds(), time.monotonic()
        time.sleep(seconds)
        used, passed = self.cpu_seconds() - before, time.monotonic() - begun
        assert used < 0.4 * passed, f"{used:.2f} s of processor in {passed:.2f} s"

    def n_descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.pid}/fd"))


# A disk without room

@contextlib.contextmanager
def small_disk(node, path):
    node.exec("mkdir", "-p", path)
    node.exec("mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "small", path)
    try:
        yield f"{path}/filler"
    finally:
        node.exec("umount", "-l", path)


def fill(node, filler):
    node.exec("dd", "if=/dev/zero", f"of={filler}", "bs=4k", check=False)
    assert node.exec("sh", "-c", f"echo x >{filler}2 && test -s {filler}2", check=False).returncode != 0, "not full"
    node.exec("rm", "-f", f"{filler}2")


@test
def runtime_directory_full(node):
    "goes on telling the truth when its notes have no room, says so once, and keeps them when there is room again"
    with small_disk(node, "/run/small") as filler, Agent(node, runtime="/run/small") as agent:
        agent.tells()
        fill(node, filler)
        for _ in range(3):
            node.systemctl("start", "once.service")     # a run that ended: something to note
            agent.follows()
        assert len(agent.lines("warning", "last runs are kept in memory only")) == 1, agent.daemon.output()
        notes = node.root / "run/small/last-runs"
        before = notes.read_text() if notes.exists() else ""
        node.exec("rm", filler)
        node.systemctl("start", "once.service")
        eventually(lambda: notes.read_text() != before and " once.service\n" in notes.read_text())
        assert sorted(p.name for p in notes.parent.iterdir() if p.name != "agent.sock") == ["last-runs"]
        fill(node, filler)
        node.systemctl("start", "once.service")
        eventually(lambda: len(agent.lines("warning", "last runs are kept in memory only")) == 2)
        agent.tells()


@test
def state_directory_full(node):
    "refuses maintenance that it could not remember, tells why, and the truth all the same"
    with small_disk(node, "/run/state") as filler, \
            Agent(node, environment=("STATE_DIRECTORY=/run/state",)) as agent:
        url, body = f"{V2}/maintenance", {"for_seconds": 600, "reason": "a new disk"}
        fill(node, filler)
        answer = agent.request("PUT", url, body)
        assert answer.status in (500, 503, 507) and b"No space left" in answer.body, answer
        assert agent.v2()["maintenance"] is None
        agent.follows()
        node.exec("rm", filler)
        assert agent.request("PUT", url, body).status == 200
        assert agent.v2()["maintenance"]["reason"] == "a new disk"
        assert agent.request("DELETE", url).status in (200, 204)


@test
def nothing_can_be_written(node):
    "serves on a machine where nothing can be written and /run/diag is missing"
    read_only = "mount --make-rprivate / && for m in / /run /tmp; do mount --bind $m $m; mount -o remount,bind,ro $m; done"
    node.exec("rm", "-rf", "/run/diag")
    with Agent(node, "unshare", "--mount", "sh", "-c", f'{read_only}; exec "$@"', "sh",
               environment=("STATE_DIRECTORY=/run/none",), port=1050) as agent:
        agent.tells()
        agent.follows()
        assert agent.lines("warning", "/run/diag/agentd.sock"), agent.daemon.output()
        assert not (node.root / "run/diag").exists()
        answer = agent.request("PUT", f"{V2}/maintenance", {"for_seconds": 600, "reason": "x"})
        assert answer.status >= 400 and agent.v2()["maintenance"] is None, answer


# No journal

def says(agent, *words):
    """Of the failed unit: the reason is told in any case, and of the journal, if any are given, one of these."""
    component = agent.component("failed.service")
    assert component["health"] == "unhealthy" and "status 3" in component["text"], component
    v1 = next(u for u in agent.request("GET", V1).json()["units"] if u["id"] == "failed.service")
    assert "failed.service" in v1["output"].splitlines()[0], v1
    assert not words or any(word in component["output"] and word in v1["output"] for word in words), component["output"]
    return True


@test
def journal_is_read(node):
    "tells what a unit said last: what the following tests take away"
    with Agent(node, *NOBODY, "--groups=systemd-journal", runtime="/run/nobody") as agent:
        eventually(lambda: says(agent, "these are its words"))


@test
def journal_may_not_be_read(node):
    "says that it may not read the journal"
    with Agent(node, *NOBODY, "--clear-groups", runtime="/run/nobody") as agent:
        eventually(lambda: says(agent, "insufficient permissions", "cannot be read"))


@test
def journalctl_is_missing(node):
    "says that the journal cannot be read when there is no journalctl"
    hide = "mount --make-rprivate / && mount --bind /dev/null /usr/bin/journalctl"
    with Agent(node, "unshare", "--mount", "sh", "-c", f'{hide}; exec "$@"', "sh") as agent:
        eventually(lambda: says(agent, "cannot be read"))
        agent.follows()


@test
def journald_is_stopped(node):
    "tells why a unit failed while nobody keeps a journal, and reads on afterwards"
    with Agent(node) as agent:
        node.systemctl("stop", *JOURNALD, check=False)
        try:
            node.systemctl("restart", "failed.service", check=False)
            eventually(lambda: says(agent))
            agent.follows()
        finally:
            node.systemctl("start", *JOURNALD)
        node.systemctl("restart", "failed.service", check=False)
        eventually(lambda: says(agent, "these are its words"))


# No bus, again and again

@test
def bus_dies_again_and_again(node):
    "never calls a failed unit healthy while the bus dies again and again, and leaks nothing by it"
    with Agent(node) as agent:
        agent.tells()
        before = agent.n_descriptors()
        for n in range(12):
            if n == 4:
                node.systemctl("stop", "flip.service")
            node.systemctl("kill", "--signal=KILL", "dbus.service", check=False)
            for _ in range(10):
                codes = agent.codes()
                assert codes["failed.service"] in ("exit-code", "no-facts", "facts-stale"), codes
                assert codes["good.service"] in ("ok", "no-facts", "facts-stale"), codes
                time.sleep(0.02)
            node.systemctl("reset-failed", *DBUS, check=False)
            node.systemctl("start", *DBUS)
        agent.tells(flip="stopped")
        node.systemctl("start", "flip.service")
        agent.tells()
        # Connections to it come and go; none may stay.
        eventually(lambda: agent.n_descriptors() <= before + 1, PATIENCE)


# No descriptors

@contextlib.contextmanager
def crowd(agent):
    """As many connections as are taken, and some more that wait."""
    sockets = []
    try:
        for _ in range(120):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(0.2)
            try:
                s.connect(f"{agent.node.root}{agent.socket}")
            except OSError:
                s.close()
                break
            sockets.append(s)
        yield sockets
    finally:
        for s in sockets:
            s.close()


class Client:
    """Somebody who has been connected all the time."""

    def __init__(self, agent):
        self._connection = agent.node.connection(unix=agent.socket)
        self._address = agent.v2()["address"]

    def codes(self):
        self._connection.request("GET", V2)
        report = json.loads(self._connection.getresponse().read())
        assert report["address"] == self._address, report["address"]
        return {c["name"]: c["code"] for c in report["components"]}

    def sees(self, **other):
        want = {**CODES, **{f"{name}.service": code for name, code in other.items()}}
        eventually(lambda: self.codes() == want, PATIENCE)


@test
def crowded(node):
    "lets no crowd of connections take the descriptors that it needs itself"
    with Agent(node, "prlimit", "--nofile=64:64") as agent:
        agent.tells()
        before, client = agent.n_descriptors(), Client(agent)
        client.sees()
        with crowd(agent) as sockets:
            time.sleep(0.5)
            assert len(sockets) > 32 and before < agent.n_descriptors() < 64, agent.n_descriptors()
            agent.is_calm()
            node.systemctl("restart", "failed.service", check=False)
            node.systemctl("stop", "flip.service")
            client.sees(flip="stopped")
            node.systemctl("start", "flip.service")
            client.sees()
        agent.tells()
        assert says(agent, "these are its words")
        eventually(lambda: agent.n_descriptors() <= before + 1)


@test
def out_of_descriptors(node):
    "keeps its loop, the bus and whoever is connected when there are no descriptors, waits calmly, and recovers"
    with Agent(node) as agent:
        agent.tells()
        eventually(lambda: says(agent, "these are its words"))
        client, pid = Client(agent), agent.daemon.pid
        client.sees()
        os.system(f"prlimit --pid {pid} --nofile=4:")      # it has them all already
        with crowd(agent):
            agent.is_calm()
            node.systemctl("stop", "flip.service")
            client.sees(flip="stopped")
            node.systemctl("start", "flip.service")
            client.sees()
            node.systemctl("restart", "failed.service", check=False)
            client.sees()
            # The bus goes, and there is no way to reach it anew: nobody may go on as if there were.
            node.systemctl("restart", "dbus.service")
            eventually(lambda: set(client.codes().values()) == {"no-facts"}, PATIENCE)
            agent.is_calm()
            os.system(f"prlimit --pid {pid} --nofile=1024:")
            client.sees()
        agent.tells()
        agent.follows()
        eventually(lambda: says(agent, "these are its words"), 2 * PATIENCE)
        assert len(agent.daemon.output().splitlines()) < 60, agent.daemon.output()
        assert not zombies_of(pid)


# No processes

def zombies_of(pid):
    """Its children that nobody has waited for."""
    stats = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats.append(stat.read_text().rpartition(")")[2].split()[:2])
    return [s for s in stats if s == ["Z", str(pid)]]


@test
def no_process_can_be_made(node):
    "says that the journal cannot be read while no process can be made, and reads it once one can"
    user = (*NOBODY, "--groups=systemd-journal")
    with Agent(node, *user, runtime="/run/nobody") as agent:
        agent.tells()
        pid = agent.daemon.pid
        inside = next(line.split()[-1] for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                      if line.startswith("NSpid:"))

        def limit(n):       # of this user's processes, threads counted; only the user itself may say so
            node.exec(*user, "prlimit", "--pid", inside, f"--nproc={n}:")

        limit(1)
        node.systemctl("stop", "flip.service")
        try:
            agent.tells(flip="stopped")
            eventually(lambda: "cannot be read" in agent.component("flip.service")["output"])
            agent.is_calm()
            limit(1000)
            eventually(lambda: "Stopped" in agent.component("flip.service")["output"], 2 * PATIENCE)
        finally:
            node.systemctl("start", "flip.service")
        agent.tells()
        assert not zombies_of(pid)


# No memory

@test
def systemd_starts_it_again(node):
    "ends with status 1 when there is no memory to start, and is started again by systemd"
    if not FAIL_ALLOC.exists():
        raise Skip(f"{FAIL_ALLOC} is not built")
    shutil.copy(FAIL_ALLOC, node.root / "agentd_fail_alloc")
    script = 'test -e /run/once || { touch /run/once; export DIAG_FAIL_ALLOC=40,1000000000; }; exec "$@"'
    node.exec("systemd-run", "--unit=again", "-p", "Restart=on-failure", "-p", "RestartSec=100ms", "-p", "Type=notify",
              "--no-block", "sh", "-c", script, "sh", "/agentd_fail_alloc", "--target", TARGET, "--listen",
              "unix:/run/again.sock")
    try:
        eventually(lambda: node.get(V2, unix="/run/again.sock").json()["phase"] == "running", PATIENCE)
        assert node.systemctl("show", "-P", "NRestarts", "again.service") == "1"
        assert "status=1/FAILURE" in node.exec("journalctl", "--no-pager", "-u", "again.service").stdout
        codes = {c["name"]: c["code"] for c in node.get(V2, unix="/run/again.sock").json()["components"]}
        assert codes == CODES, codes
    finally:
        node.systemctl("stop", "again.service")


def plain_test(function):
    """Only without a sanitizer, which needs all the address space that there is; ./test runs it on such a build, too."""
    program = Path(os.environ.get("DIAG_INSTALL", "/"), "usr/sbin/diag-agentd")
    sanitized = program.exists() and any(name in program.read_bytes() for name in (b"__asan_init", b"__tsan_init"))
    return function if sanitized else test(function)


@plain_test
def address_space_is_full(node):
    "tells the truth, or nothing, or ends, when no library gets any more memory either"
    agent = Agent(node)
    try:
        agent.tells()
        size = int(Path(f"/proc/{agent.daemon.pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
        os.system(f"prlimit --pid {agent.daemon.pid} --as={size + 65536}:")
        node.systemctl("stop", "flip.service")
        deadline = time.monotonic() + PATIENCE
        with crowd(agent):
            while agent.daemon.running and time.monotonic() < deadline:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    health = {u["id"]: u["health"] for u in agent.request("GET", V1).json()["units"]}
                    assert health["failed.service"] in (1, 3) and health["good.service"] in (0, 3), health
                time.sleep(0.05)
        if not agent.daemon.running:
            assert agent.daemon.wait() == 1, agent.daemon.output()
            return
        os.system(f"prlimit --pid {agent.daemon.pid} --as={size * 4}:")
        agent.tells(flip="stopped")
    finally:
        node.systemctl("start", "flip.service")
        agent.daemon.kill()
        node.daemons.remove(agent.daemon)


tap.main(node)
