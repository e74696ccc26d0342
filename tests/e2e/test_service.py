#!/usr/bin/env python3
"""As a service: installed, activated by its sockets, sandboxed, restarted under load, and gone without a trace."""
import contextlib
import json
import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

import tap
from node import AGENTD_SOCKET, Node, eventually
from tap import Skip, test

SOURCE = Path(__file__).resolve().parents[2]
INSTALL = Path(os.environ.get("DIAG_INSTALL", "/"))
SERVICE, SOCKET, MASTER = "diag-agentd.service", "diag-agentd.socket", "diag-agentd-master.socket"
CLUSTER_SERVICE, CLUSTER_SOCKET = "diag-aggregatord.service", "diag-aggregatord.socket"
UNITS = "/usr/lib/systemd/system/"
CLUSTER = "/system/health/v2/cluster"
V1, V2, HEALTH = "/system/health/v1", "/system/health/v2/node", "/system/health/v2/node?fields=health"
DCOS_SOCKET = "/run/dcos/dcos-diagnostics.sock"
DBUS = ("dbus.socket", "dbus.service")
RESTARTS = 100
TCP = {"port": 1050}

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"
# Fails the first time. The second time it runs, and runs, and how it ended the first time is what counts.
JOB = """[Service]
Type=oneshot
ExecStart=/bin/sh -c 'if [ -e /run/job-failed ]; then exec sleep infinity; fi; touch /run/job-failed; exit 7'
"""
WATCHED = {
    # Not after what it wants: the job would hold up the boot for ever.
    "dcos.target": "[Unit]\nDescription=What this node is for\nDefaultDependencies=no\n",
    "good.service": SLEEP,
    "bad.service": "[Service]\nExecStart=/bin/sh -c 'echo it went to pieces; exit 3'\n",
    "job.service": JOB,
    "job.timer": "[Timer]\nOnActiveSec=1ms\nOnUnitInactiveSec=10ms\nAccuracySec=1ms\n",
    # Nobody refers to it, so systemd forgets how it ended.
    "once.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
}
WANTED = ("good.service", "bad.service", "job.service", "job.timer")
TRUTH = {"good.service": ("healthy", None), "bad.service": ("unhealthy", "exit-code"),
         "job.service": ("unhealthy", "last-run-failed"), "job.timer": ("healthy", None),
         "once.service": ("healthy", None)}
# What a command of the operator's must be able to do: see others' processes, write a temporary file.
ADDRESS = """#!/bin/sh
set -e
pgrep -u root -x systemd-journal >/dev/null
cat /proc/1/comm >"$(mktemp)"
test "$(id -un)" = diag-agent
echo 10.9.8.7
"""
CONF = "[Agent]\nUnit=once.service\nAddressCommand=/etc/diag/address\n"


def boot(name, **more):
    units = {**WATCHED, **more.pop("units", {})}
    links = {f"dcos.target.wants/{u}": f"../{u}" for u in WANTED}
    if not (INSTALL / "usr/sbin/diag-agentd").exists():
        raise Skip("DIAG_INSTALL names no installed tree")
    if sanitized():
        # LeakSanitizer traces its own process; in the sandbox it would spin for ever.
        units[f"{SERVICE}.d/sanitizer.conf"] = "[Service]\nSystemCallFilter=@debug\nMemoryMax=2G\n"
    return Node(name, units=units, links={**links, **more.pop("links", {})}, **more)


def sanitized():
    return b"__asan_init" in (INSTALL / "usr/sbin/diag-agentd").read_bytes()


def enabled():
    """Links as systemctl enable makes them, for nodes that are to boot with the service."""
    return {f"sockets.target.wants/{SOCKET}": UNITS + SOCKET, f"{SERVICE}.wants/{SOCKET}": UNITS + SOCKET,
            f"multi-user.target.wants/{SERVICE}": UNITS + SERVICE}


def configure(node, text):
    (node.root / "etc/diag/agentd.conf").write_text(text)


@contextlib.contextmanager
def service():
    with boot("service") as node:
        address = node.root / "etc/diag/address"
        address.write_text(ADDRESS)
        address.chmod(0o755)
        configure(node, CONF)
        node.diagnostics = lambda: journal(node)
        node.systemctl("enable", "--now", SOCKET, SERVICE)
        eventually(lambda: node.get(HEALTH).json()["phase"] == "running")
        node.systemctl("start", "dcos.target", "once.service")
        settled(node)
        yield node
        if sanitized():
            said = node.exec("journalctl", "-o", "cat", "-u", SERVICE).stdout
            assert "Sanitizer" not in said and "runtime error" not in said, said


def journal(node, lines=60):
    return node.exec("journalctl", "-n", str(lines), "-o", "cat", "-u", "diag-agentd.*", check=False).stdout


def truth(answer):
    """What people would act upon; which of the healthy codes it is changes freely."""
    assert answer.status == 200, answer
    return {c["name"]: (c["health"], c.get("code")) for c in answer.json()["components"]}


def healths(answer):
    return {name: health for name, (health, _) in truth(answer).items()}


def main_pid(node):
    return int(node.systemctl("show", "-P", "MainPID", SERVICE))


def outside(node, pid):
    """A process of the node as this machine numbers it."""
    assert pid > 1, pid
    inside = os.readlink(f"/proc/{node.init}/ns/pid")
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(proc / "ns/pid") == inside and \
                    re.search(rf"^NSpid:.*\t{pid}$", (proc / "status").read_text(), re.M):
                return int(proc.name)
    raise AssertionError(f"no process {pid} in the node")


class Client(threading.Thread):
    """Asks again and again, on a new connection each time, and keeps what must not be."""

    def __init__(self, node, url=HEALTH, wait=False, **where):
        super().__init__(daemon=True)
        self.node, self.url, self.wait, self.where = node, url, wait, where
        self.expected = healths(node.get(HEALTH))
        self.n, self.failed, self.wrong, self.versions = 0, [], [], set()
        self.etag, self.done = None, threading.Event()

    def run(self):
        if "port" in self.where:
            self.node.in_network(self.ask_until_done)       # once: not a thread for each question
        else:
            self.ask_until_done()

    def ask_until_done(self):
        headers = {"Prefer": "wait=5"} if self.wait else {}
        while not self.done.is_set():
            headers |= {"If-None-Match": self.etag} if self.wait and self.etag else {}
            try:
                self.take(self.node.get(self.url, headers, timeout=20, **self.where))
            except Exception as e:      # whatever it is: it is what the client got
                self.failed.append((time.time(), repr(e)))
            self.n += 1

    def take(self, answer):
        self.etag = answer.headers["ETag"]
        if answer.status == 304 and self.wait:
            return
        self.versions.add(answer.json()["version"])
        if healths(answer) != self.expected:
            self.wrong.append((time.time(), answer.json()["phase"], healths(answer)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(30)

    def check(self, at_least=1):
        assert not self.failed, f"{len(self.failed)} of {self.n} requests failed: {self.failed[:5]}"
        assert not self.wrong, f"{len(self.wrong)} of {self.n} answers differ from {self.expected}: {self.wrong[:3]}"
        assert self.n >= at_least, f"only {self.n} requests"


class ClusterClient(Client):
    def take(self, answer):
        assert answer.status == 200, answer


@contextlib.contextmanager
def clients(node, at_least=1):
    """One at each door, and two that wait for a change which does not come."""
    with contextlib.ExitStack() as stack:
        kinds = [{"port": 1050}, {"port": 1050, "address": "::1"}, {}, {"wait": True}, {"wait": True, "port": 1050}]
        all_of_them = [stack.enter_context(Client(node, **kind)) for kind in kinds]
        yield all_of_them
    for client in all_of_them[:3]:
        client.check(at_least)
    for client in all_of_them[3:]:
        client.check()


class Poll(threading.Thread):
    """One request that waits; its answer, or what went wrong."""

    def __init__(self, node, wait=60, **where):
        super().__init__(daemon=True)
        self.node, self.wait, self.where, self.outcome = node, wait, where, None
        self.etag = node.get(HEALTH, **where).headers["ETag"]
        self.start()

    def run(self):
        try:
            self.outcome = self.node.get(HEALTH, {"If-None-Match": self.etag, "Prefer": f"wait={self.wait}"},
                                         timeout=self.wait + 10, **self.where)
        except Exception as e:
            self.outcome = e

    def parked(self):
        time.sleep(0.2)     # it is on its way; there is nothing to see of it before it ends
        assert self.is_alive(), self.outcome
        return self

    def answer(self, within):
        self.join(within)
        assert self.outcome is not None, f"no answer within {within} s"
        assert not isinstance(self.outcome, Exception), self.outcome
        return self.outcome


def settled(node, expected=TRUTH, **where):
    """Raises what is not as expected."""
    def question():
        found = truth(node.get(HEALTH, **where))
        assert found == expected, found
        return True
    eventually(question, 20)


def drop_in(node, unit, text, name="test.conf"):
    directory = node.root / f"etc/systemd/system/{unit}.d"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    node.systemctl("daemon-reload")


def no_drop_in(node, unit, name="test.conf"):
    (node.root / f"etc/systemd/system/{unit}.d/{name}").unlink()
    node.systemctl("daemon-reload")


def reopen(node, *sockets):
    """Sockets can only be started while their service is not running."""
    node.systemctl("stop", SERVICE, SOCKET, MASTER)
    node.systemctl("start", *sockets or [SOCKET])
    node.systemctl("start", SERVICE)


@test
def runs(node):
    "runs as its own user without any privilege, and says that it is ready"
    assert node.systemctl("is-active", SERVICE, SOCKET).split() == ["active", "active"]
    status = Path(f"/proc/{outside(node, main_pid(node))}/status").read_text()
    user = int(node.exec("id", "-u", "diag-agent").stdout)
    assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.M), status
    assert re.search(r"^CapBnd:\t0+$", status, re.M) and "NoNewPrivs:\t1" in status, status
    assert "systemd-journal" in node.exec("id", "-nG", "diag-agent").stdout.split()
    assert node.exec("getent", "group", "diag").stdout.strip().endswith(":"), "the daemon is no operator"
    needs = node.systemctl("show", "-p", "Requires,Requisite,BindsTo,RequiresMountsFor", SERVICE)
    assert "/var" not in needs and "mount" not in needs and "dbus" not in needs, needs
    mode = node.exec("stat", "-c", "%U %a", "/var/lib/diag/agentd", "/run/diag/agentd", AGENTD_SOCKET).stdout
    assert mode.split("\n")[:3] == ["diag-agent 700", "diag-agent 755", "root 666"], mode


@test
def exposure(node):
    "is little exposed, by systemd's own measure"
    said = node.exec("systemd-analyze", "security", "--no-pager", SERVICE).stdout.splitlines()[-1]
    print(f"# {said.strip()}")
    assert float(re.search(r": (\d+\.\d)", said)[1]) <= 2.5, said


@test
def answers_everywhere(node):
    "answers on all its sockets with the truth, and knows its port from them"
    for where in (TCP, {**TCP, "address": "::1"}, {}):
        assert truth(node.get(HEALTH, **where)) == TRUTH, where
    assert node.get(V2).json()["port"] == 1050
    assert "10.0.0.1" not in node.exec("ss", "-Hltn").stdout
    assert node.exec("diag", "status", check=False).returncode == 1
    drop_in(node, SERVICE, "[Service]\nExecStart=\nExecStart=/usr/sbin/diag-agentd "
                   "--listen 127.0.0.1:1060 --listen 127.0.0.1:1050\n")
    try:
        node.systemctl("restart", SERVICE)
        for port in (1050, 1060):
            settled(node, port=port)
        assert node.get(V2).json()["port"] == 1050
    finally:
        no_drop_in(node, SERVICE)
        node.systemctl("restart", SERVICE)
    settled(node)


@test
def sandbox_suffices(node):
    "reads the journal and runs commands that see the machine, from within its sandbox"
    eventually(lambda: "it went to pieces" in next(u for u in node.get(V1).json()["units"]
                                                   if u["id"] == "bad.service")["output"])
    eventually(lambda: node.get(V2).json()["address"] == "10.9.8.7")


@test
def no_state_directory(node):
    "refuses maintenance that the next start would forget, says why, and tells the truth all the same"
    node.systemctl("stop", SERVICE)
    node.exec("mv", "/var/lib/diag/agentd", "/var/lib/diag/away")
    try:
        node.systemctl("start", SERVICE)
        refused = node.exec("diag", "maintenance", "start", "--for", "1h", "--reason", "new disks", check=False)
        assert refused.returncode != 0 and "/var/lib/diag/agentd" in refused.stderr, refused
        assert node.get(V2).json()["maintenance"] is None
        settled(node)
    finally:
        node.systemctl("stop", SERVICE)
        node.exec("mv", "/var/lib/diag/away", "/var/lib/diag/agentd")
        node.systemctl("start", SERVICE)
    settled(node)


@test
def dcos_path(node):
    "takes the place of dcos-diagnostics at its Unix socket by the drop-in that it ships"
    example = INSTALL / "usr/share/doc/diag/examples/dcos.socket.conf"
    drop_in(node, SOCKET, example.read_text(), "dcos.conf")
    try:
        reopen(node)
        settled(node, unix=DCOS_SOCKET)
        assert {u["id"] for u in node.get(V1, unix=DCOS_SOCKET).json()["units"]} == set(TRUTH)
    finally:
        no_drop_in(node, SOCKET, "dcos.conf")
        reopen(node)
    settled(node)


@test
def open_door(node):
    "serves a socket that the network reaches, refuses the network, and says why, until it is allowed"
    example = INSTALL / "usr/share/doc/diag/examples/network.socket.conf"
    drop_in(node, SOCKET, example.read_text(), "network.conf")
    ask = (f"import http.client as h; c = h.HTTPConnection('{node.address}', 1050, timeout=5); "
           f"c.request('GET', '{HEALTH}'); print(c.getresponse().status)")
    from_outside = lambda: int(node.bed.testnode("net", "python3", "-c", ask).stdout)
    try:
        reopen(node)
        assert from_outside() == 403
        settled(node)
        assert "0.0.0.0:1050" in journal(node) and "Insecure=yes" in journal(node)
        configure(node, CONF + "[Listen]\nInsecure=yes\nAllowFrom=10.77.0.0/16\n")
        node.systemctl("restart", SERVICE)
        assert from_outside() == 200
    finally:
        configure(node, CONF)
        no_drop_in(node, SOCKET, "network.conf")
        reopen(node)
    settled(node)


@test
def wildcard_beside_the_socket(node):
    "says what to do when Listen= names a wildcard of what systemd listens on already, and comes up when it is gone"
    configure(node, CONF + "[Listen]\nListen=0.0.0.0:1050\nInsecure=yes\nAllowFrom=10.77.0.0/16\n")
    try:
        node.systemctl("restart", SERVICE, check=False)
        assert "drop-in of the socket unit" in journal(node), journal(node)
    finally:
        configure(node, CONF)
    # Nobody has to start it: there is no number of failures after which systemd gives up.
    settled(node)


@test
def master_port(node):
    "is asked on port 1051 where the socket for masters is enabled, and not on 1050"
    node.systemctl("disable", SOCKET)
    node.systemctl("stop", SERVICE, SOCKET)
    try:
        node.systemctl("enable", "--now", MASTER)
        node.systemctl("start", SERVICE)
        settled(node, port=1051)
        assert node.get(V2).json()["port"] == 1051
        assert node.systemctl("is-active", SOCKET, check=False) == "inactive"
        with contextlib.suppress(ConnectionRefusedError):
            node.get(HEALTH, port=1050)
            raise AssertionError("1050 is open")
    finally:
        node.systemctl("disable", MASTER)
        node.systemctl("stop", SERVICE, MASTER)
        node.systemctl("enable", "--now", SOCKET)
        node.systemctl("start", SERVICE)
    settled(node)


@test
def restarts(node):
    "is restarted a hundred times, and nobody who asks meanwhile is refused or told anything else than before"
    begun = time.monotonic()
    with clients(node, RESTARTS) as asking:
        for _ in range(RESTARTS):
            node.systemctl("restart", SERVICE)
    print(f"# {RESTARTS} restarts in {time.monotonic() - begun:.0f} s, {sum(c.n for c in asking)} requests")
    assert truth(node.get(HEALTH)) == TRUTH


@test
def first_answer(node):
    "holds the first answer after a start until it knows, and forgets no last run"
    for _ in range(10):
        node.systemctl("stop", SOCKET, SERVICE)
        node.systemctl("start", SOCKET)     # and not the service: whoever asks starts it
        assert truth(node.get(HEALTH, **TCP)) == TRUTH
    assert main_pid(node) > 0


@test
def killed(node):
    "is started again when it is killed, and says what it said before"
    pid = main_pid(node)
    os.kill(outside(node, pid), signal.SIGKILL)
    assert truth(node.get(HEALTH, **TCP)) == TRUTH
    assert main_pid(node) not in (0, pid)


@test
def hangs(node):
    "is killed and started again by systemd when it hangs"
    assert node.systemctl("show", "-P", "WatchdogUSec", SERVICE) == "30s"
    drop_in(node, SERVICE, "[Service]\nWatchdogSec=2s\n")
    try:
        node.systemctl("restart", SERVICE)
        settled(node)
        pid = main_pid(node)
        os.kill(outside(node, pid), signal.SIGSTOP)
        eventually(lambda: main_pid(node) not in (0, pid), 20)
        assert "Watchdog timeout" in journal(node), journal(node)
        settled(node)
    finally:
        no_drop_in(node, SERVICE)
        node.systemctl("restart", SERVICE)
    settled(node)


@test
def reloads(node):
    "takes a new configuration when it is reloaded, without a new process or a lost request"
    pid, polls = main_pid(node), [Poll(node).parked(), Poll(node, **TCP).parked()]
    configure(node, CONF + "[Unit bad.service]\nExpect=off\n")
    try:
        with Client(node) as asking:
            node.systemctl("reload", SERVICE)
            eventually(lambda: truth(node.get(HEALTH))["bad.service"] == ("healthy", None))
        assert not asking.failed, asking.failed
        assert [healths(p.answer(5))["bad.service"] for p in polls] == ["healthy"] * 2
        configure(node, CONF.replace("Unit=once.service", "Unit=good.service"))
        node.systemctl("reload", SERVICE)
        eventually(lambda: set(truth(node.get(HEALTH))) == set(TRUTH) - {"once.service"})
    finally:
        configure(node, CONF)
        node.systemctl("reload", SERVICE)
        settled(node)
    assert main_pid(node) == pid


@test
def reload_of_nothing(node):
    "wakes nobody when a reload changes nothing"
    poll = Poll(node, wait=3).parked()
    node.systemctl("reload", SERVICE)
    assert poll.answer(6).status == 304


@test
def broken_reload(node):
    "keeps its configuration when the new one is broken, and says in the journal where"
    pid, poll = main_pid(node), Poll(node, wait=3).parked()
    configure(node, CONF + "[Judge]\nStuckAfter=never\n[Unit good.service]\nExpect=off\n")
    try:
        assert node.exec("systemctl", "reload", SERVICE, check=False).returncode != 0, "it calls that a success"
        os.kill(outside(node, pid), signal.SIGHUP)
        eventually(lambda: f"/etc/diag/agentd.conf:{CONF.count(chr(10)) + 2}:" in journal(node))
        assert poll.answer(6).status == 304
        assert (truth(node.get(HEALTH)), main_pid(node)) == (TRUTH, pid)
    finally:
        configure(node, CONF)


@test
def without_bus(node):
    "comes up without a bus, says that it knows nothing, and comes to know when there is one"
    node.systemctl("stop", *DBUS)
    try:
        node.systemctl("restart", SERVICE)
        assert {u["health"] for u in node.get(V1).json()["units"]} == {3}
        assert node.get(V2).json()["health"] == "unknown"
    finally:
        node.systemctl("start", *DBUS)
    settled(node)


def fill(node, directory):
    """Over with a small file system of its own; then not a byte nor a file more fits in there."""
    node.exec("sh", "-ec", """
        mkdir /run/kept; cp -a "$1/." /run/kept
        mount -t tmpfs -o size=8M,nr_inodes=1000 full "$1"; cp -a /run/kept/. "$1"; rm -r /run/kept
        dd if=/dev/zero of="$1/full" bs=4k 2>/dev/null || true
        n=0; while ln -s x "$1/full-$n" 2>/dev/null; do n=$((n + 1)); done""", "fill", directory)


@test
def full_disk(_):
    "comes up and tells the truth when there is not a byte left, nor a file, and when nothing can be written"
    with boot("full", links=enabled()) as node:
        eventually(lambda: node.get(HEALTH).json()["phase"] == "running")
        node.systemctl("start", "dcos.target")
        expected = {n: h for n, h in TRUTH.items() if n != "once.service"}
        settled(node, expected)
        for directory in ("/tmp", "/var"):
            fill(node, directory)
        node.exec("sh", "-c", "mount -o remount,size=64M,nr_inodes=3000 /run; n=0; mkdir /run/full;"
                  "while ln -s x /run/full/$n 2>/dev/null; do n=$((n + 1)); done")
        for directory in ("/tmp", "/var", "/var/tmp", "/run"):
            assert node.exec("mkdir", f"{directory}/more", check=False).returncode != 0, directory
        node.systemctl("restart", SERVICE)
        settled(node, expected)
        node.exec("sh", "-c", "rm -r /run/full; for d in / /tmp /var; do mount -o remount,bind,ro $d; done")
        for directory in ("/etc", "/tmp", "/var/tmp"):
            assert node.exec("touch", f"{directory}/more", check=False).returncode != 0, directory
        node.systemctl("restart", SERVICE)
        settled(node, expected)


@test
def early(_):
    "is there before the machine has come up, and while what it is for hangs"
    slow = "[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n"
    links = {**enabled(), "dcos.target.wants/hangs.service": "../hangs.service",
             "multi-user.target.wants/dcos.target": "../dcos.target"}
    with boot("early", units={"hangs.service": slow}, links=links) as node:
        eventually(lambda: truth(node.get(HEALTH, **TCP)).get("hangs.service") == ("unhealthy", "starting"))
        assert node.systemctl("is-active", "multi-user.target", check=False) == "inactive"
        assert node.systemctl("is-system-running", check=False) == "starting"
        assert node.systemctl("is-active", SERVICE) == "active"
        assert node.get(HEALTH).json()["health"] == "unhealthy"


@test
def power_off(_):
    "tells those who wait that the machine is going down"
    with boot("off", links=enabled()) as node:
        eventually(lambda: node.get(HEALTH).json()["phase"] == "running")
        node.systemctl("start", "dcos.target")
        eventually(lambda: truth(node.get(HEALTH))["job.service"][1] == "last-run-failed")
        polls = [Poll(node).parked(), Poll(node, **TCP).parked()]
        node.systemctl("poweroff")
        assert [p.answer(20).json()["phase"] for p in polls] == ["stopping"] * 2
        eventually(lambda: not Path(f"/proc/{node.init}").exists(), 30)


def tree(node):
    """Every file that somebody may have made; not what belongs to the moment."""
    moment = re.compile(r"/(run/(systemd|udev|log|user|lock|utmp)|var/log|var/lib/systemd"
                        r"|etc/(passwd|group|shadow|gshadow|subuid|subgid)- |etc/\.pwd\.lock)")
    found = node.exec("find", "/etc", "/usr", "/var", "/run", "-xdev", "-printf", "%p %y %m %U %l\n").stdout
    return {line for line in found.splitlines() if not moment.match(line)}


def accounts(node):
    return {f: (node.root / "etc" / f).read_text() for f in ("passwd", "group", "shadow", "gshadow")
            if (node.root / "etc" / f).exists()}


def copy_source(node):
    """All but what was built; and that apt-get need not be asked for anything. There may be no git."""
    shutil.copytree(SOURCE, node.root / "src", symlinks=True,
                    ignore=shutil.ignore_patterns(".git", "build*", "__pycache__"))
    for directory in ("info", "updates"):
        (node.root / "var/lib/dpkg" / directory).mkdir(parents=True)
    shutil.copy2("/var/lib/dpkg/status", node.root / "var/lib/dpkg/status")


def sh(node, command, timeout=300):
    done = node.exec("sh", "-c", f"cd /src && {command}", check=False, timeout=timeout)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def become_master(node):
    """It has a cluster of one, then, also after the next upgrade, during which its front door refuses nobody."""
    said = sh(node, "./run --install --master")
    assert "bad.service exited with status 3" in said.split("The cluster, as")[1], said
    pid = node.systemctl("show", "-P", "MainPID", CLUSTER_SERVICE)
    with ClusterClient(node, CLUSTER, port=1050) as asking:
        sh(node, "./run --install")
    asking.check()
    assert node.systemctl("show", "-P", "MainPID", CLUSTER_SERVICE) not in ("0", pid)
    units = (SERVICE, MASTER, CLUSTER_SERVICE, CLUSTER_SOCKET)
    assert node.systemctl("is-enabled", *units, SOCKET, check=False).split() == ["enabled"] * 4 + ["disabled"]
    assert node.systemctl("is-active", *units).split() == ["active"] * 4
    assert node.get(V2, port=1051).json()["port"] == 1051
    said = node.get(CLUSTER, port=1050).json()
    assert (said["health"], said["masters"]["expected"]) == ("unhealthy", 1), said


@test
def install_upgrade_uninstall(_):
    "is installed, upgraded under load, made a master and uninstalled by ./run, and leaves nothing but what the operator wrote"
    # What it has is of its own making, and not of DIAG_INSTALL.
    with boot("run", install=os.devnull, writable_usr=True) as node:
        copy_source(node)
        for name in ("shadow", "gshadow"):      # as every machine has them
            (node.root / "etc" / name).touch(0)
        before, users = tree(node), accounts(node)
        sh(node, "meson setup build --prefix=/usr -Dtests=disabled")
        said = sh(node, "./run --install")
        assert "good.service" in said, said
        node.systemctl("start", "dcos.target")
        assert node.systemctl("is-enabled", SERVICE, SOCKET).split() == ["enabled", "enabled"]
        assert node.exec("bash", "-c", ". /usr/share/bash-completion/completions/diag && complete -p diag").stdout
        assert "has changed" in node.exec("journalctl", "--list-catalog").stdout
        eventually(lambda: truth(node.get(HEALTH))["job.service"][1] == "last-run-failed")
        sh(node, "sed -i \"s/version: '0.1.0'/version: '0.1.9'/\" meson.build")
        (node.root / "etc/diag/agentd.conf").write_text("# my words\n")
        with clients(node) as asking:
            sh(node, "./run --install")
            eventually(lambda: node.get(V2).json()["version"] == "0.1.9")
        assert asking[0].versions == {"0.1.0", "0.1.9"}, asking[0].versions
        become_master(node)
        sh(node, "rm -rf build")
        said = sh(node, "./run --uninstall")
        assert "/etc/diag/agentd.conf" in said, said
        (node.root / "run/job-failed").unlink()
        gone, left = before - tree(node), tree(node) - before
        assert not gone, gone
        assert {line.split()[0] for line in left} == {"/etc/diag", "/etc/diag/agentd.conf"}, left
        assert accounts(node) == users
        assert not node.systemctl("list-units", "--all", "--plain", "--no-legend", "diag-*")
        sh(node, "./run --uninstall")


tap.main(service)
