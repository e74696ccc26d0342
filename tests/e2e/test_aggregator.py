#!/usr/bin/env python3
"""diag-aggregatord as a person meets it: by hand in the foreground, and as the service of one machine."""
import concurrent.futures
import contextlib
import functools
import os
import re
import signal
import threading
import time
from pathlib import Path

import tap
from fake_nodes import V1, V2, FakeNodes, node, unit
from hang import loop_stands
from node import Node, eventually
from tap import Skip

INSTALL = Path(os.environ.get("DIAG_INSTALL", "/"))
SERVICE, SOCKET = "diag-aggregatord.service", "diag-aggregatord.socket"
AGENTD, AGENTD_SOCKET, MASTER_SOCKET = "diag-agentd.service", "/run/diag/agentd.sock", "diag-agentd-master.socket"
FRONT_DOOR = "/run/diag/aggregatord.sock"
UNITS = "/usr/lib/systemd/system/"
CLUSTER, NODES, READY = (f"/system/health/v2/{path}" for path in ("cluster", "nodes", "cluster/ready"))
COMPONENT = V2 + "/components/good.service"
CONF = "/etc/diag/aggregatord.conf"
GOOD, BAD, SLOW = "10.77.1.1", "10.77.1.2", "10.77.1.3"
NOBODY = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "env", "-i", "PATH=/usr/sbin:/usr/bin")
RESTARTS = 20
WATCHED = {
    "dcos.target": "[Unit]\nDescription=What this node is for\n",
    "good.service": "[Service]\nExecStart=/bin/sleep infinity\n",
}


def test(function):
    """Mark a test; whatever it has started ends with it."""
    @functools.wraps(function)
    def alone(m):
        try:
            function(m)
        finally:
            for daemon in m.daemons:
                daemon.kill()
            m.daemons.clear()
    return tap.test(alone)


def sanitized():
    return b"__asan_init" in (INSTALL / "usr/sbin/diag-aggregatord").read_bytes()


def boot(name, **more):
    units = {**WATCHED, **more.pop("units", {})}
    if not (INSTALL / "usr/sbin/diag-aggregatord").exists():
        raise Skip("DIAG_INSTALL names no installed tree")
    if sanitized():
        # LeakSanitizer traces its own process; in the sandbox it would spin for ever.
        for service in SERVICE, AGENTD:
            units[f"{service}.d/sanitizer.conf"] = "[Service]\nSystemCallFilter=@debug\nMemoryMax=3G\n"
    return Node(name, units=units, links={"dcos.target.wants/good.service": "../good.service"}, **more)


@contextlib.contextmanager
def machine():
    with boot("m1") as m:
        m.unix = FRONT_DOOR
        m.systemctl("start", "dcos.target")
        m.fleet = FakeNodes(m.bed, "10.77.1", 3)
        m.fleet.put(GOOD, node(GOOD, [unit("a.service")]))
        m.fleet.put(BAD, node(BAD, [unit("a.service"), unit("b.service", "unhealthy")]))
        m.fleet.put(SLOW, node(SLOW, [unit("a.service")]), slow=60)
        by_hand = m.diagnostics
        m.diagnostics = lambda: by_hand() + "\n" + journal(m)
        yield m
        if sanitized():
            said = m.exec("journalctl", "-o", "cat", "-u", SERVICE).stdout
            assert "Sanitizer" not in said and "runtime error" not in said, said


def journal(m, lines=40):
    return m.exec("journalctl", "-n", str(lines), "-o", "cat", "-u", "diag-aggregatord.*", check=False).stdout


@contextlib.contextmanager
def by_hand(m, *options, port=1070, who=NOBODY):
    """As somebody starts it who has no rights here; what it says goes to daemon.output()."""
    daemon = m.start(*who, "diag-aggregatord", "--listen", f"127.0.0.1:{port}", *options)
    try:
        eventually(lambda: m.get("/livez", port=port).status == 200, what=daemon.output())
        yield daemon
        assert daemon.running, daemon.output()
    finally:
        daemon.stop()


def cluster(m, **where):
    answer = m.get(CLUSTER, **where)
    assert answer.status == 200, answer
    return answer.json()


def becomes(m, health, seconds=10, **where):
    def question():
        found = cluster(m, **where)
        assert found["health"] == health, found["summary"]
        return found
    return eventually(question, seconds)


def rows(m, **where):
    return {n["address"]: n for n in m.get(NODES, **where).json()["items"]}


def codes(of):
    return {r["code"] for r in of["reasons"]}


# --- by hand ------------------------------------------------------------------------------------------

@test
def one_node(m):
    "shows a node with nothing but --node, to whoever starts it"
    with by_hand(m, "--node", f"master={GOOD}:1050", port=1070) as daemon:
        began = time.monotonic()
        of = becomes(m, "healthy", port=1070)
        print(f"# healthy after {time.monotonic() - began:.2f} s")
        assert of["masters"] == {"expected": 1, "expected_from": "static", "known": 1, "answering": 1, "healthy": 1,
                                 "quorum": "ok"}, of
        answer = m.get(READY, port=1070)
        assert (answer.status, answer.body) == (200, b"ready: 1 of 1 masters healthy\n"), answer
        assert m.get(V1 + "/nodes", port=1070).json() == {"nodes": [{"host_ip": GOOD, "health": 0, "role": "master"}]}
        # There is no node daemon here.
        answer = m.get(V1, port=1070)
        assert answer.status == 503 and b"diag-agentd" in answer.body, answer
        assert (m.get(V2, port=1070).status, m.get(V2, port=1070).json()["reason"]) == (503, "node-unreachable")
        owner = m.exec("ps", "-o", "uid=", "-C", "diag-aggregator", check=False).stdout.split()
        assert set(owner) == {"1234"}, owner
    assert f"master {GOOD} is healthy" in daemon.output(), daemon.output()


@test
def without_anything(m):
    "asks this machine as the one master when it is told nothing, says so when nobody answers there, then finds it"
    daemon = m.start(*NOBODY, "diag-aggregatord")
    eventually(lambda: m.get("/livez", port=1050).status == 200)
    of = becomes(m, "unhealthy", port=1050)
    of = eventually(lambda: (of := cluster(m, port=1050)) and codes(of) == {"master-missing"} and of, 10)
    assert (of["masters"]["expected"], rows(m, port=1050).keys()) == (1, {"127.0.0.1"}), of
    assert m.get(READY, port=1050).status == 503
    assert m.get("/livez", port=1050, address="::1").status == 200
    assert "Permission denied" in daemon.output() and "diag-aggregatord.socket" in daemon.output(), daemon.output()
    agentd = m.start("diag-agentd", "--role", "master")
    began = time.monotonic()
    becomes(m, "healthy", 40, port=1050)
    print(f"# healthy {time.monotonic() - began:.1f} s after its node daemon was started")
    assert rows(m, port=1050)["127.0.0.1"]["port"] == 1051, "it asks itself"
    eventually(lambda: cluster(m, port=1050)["view"]["observer"] == m.address)
    # What it asks for others, an ordinary user may ask: he is known to the node daemon as himself.
    assert m.get(V1, port=1050).json()["node_role"] == "master"
    assert m.get(COMPONENT, port=1050).status == 403
    assert daemon.stop() == 0
    daemon = m.start("diag-aggregatord")        # and as root, who has its default socket, too
    eventually(lambda: m.get("/livez").status == 200)
    assert m.get(COMPONENT).json()["name"] == "good.service"
    assert daemon.stop() == 0 and agentd.stop() == 0
    assert not (m.root / FRONT_DOOR[1:]).exists()


@test
def many_nodes(m):
    "takes nodes from options and a file, and says that too few masters are known"
    (m.root / "run/nodes").write_text(f"# who\nmaster {GOOD}:1050\n\nagent\t{BAD}:1050\nagent_public {SLOW}\n")
    with by_hand(m, "--nodes-file", "/run/nodes", "--node", "master=10.77.1.1", "--masters-expected", "3"):
        of = eventually(lambda: (of := cluster(m, port=1070)) and of["masters"]["answering"] == 1 and of)
        assert (of["health"], of["masters"]["expected"], of["masters"]["known"]) == ("unhealthy", 3, 1), of
        assert "count-short" in codes(of), of
        found = eventually(lambda: (r := rows(m, port=1070)) and r[BAD]["health"] == "unhealthy" and r)
        assert {a: n["role"] for a, n in found.items()} == {GOOD: "master", BAD: "agent", SLOW: "agent_public"}, found
        assert found[SLOW]["reach"] == "never", found


FAULTS = [
    ("[Cluster]\nNode=master\n", "2: Node: 'master' is not ROLE=ADDRESS[:PORT]"),
    ("[Cluster]\nNode=king=10.0.0.1\n", "2: Node: 'king' is none of master, agent, agent_public"),
    ("[Cluster]\nNode=master=10.0.0.1:0\n", "2: Node: '0' is not a port"),
    ("[Cluster]\nNode=master=10.0.0.1:x\n", "2: Node: 'x' is not a port"),
    ("[Cluster]\nNode=master=\n", "2: Node: "),
    ("[Cluster]\nNode=master=a b\n", "2: Node: "),
    ("[Cluster]\n\nMastersExpected=0\n", "3: MastersExpected: '0' is neither a number from 1 to 64 nor a path"),
    ("[Cluster]\nMastersExpected=many\n", "2: MastersExpected: 'many'"),
    ("[Cluster]\nViewMaxAge=1s\n", "2: ViewMaxAge: '1s'"),
    ("[Cluster]\nNoSuchKey=1\n", "2: "),
    ("[Nonsense]\nA=1\n", "1: "),
    ("Name=x\n", "1: "),
    ("[Cluster]\nName\n", "2: "),
    ("[Node 10.0.0.1]\nRole=king\n", "2: Role: 'king'"),
    ("[Node 10.0.0.1]\nPort=1050\n", "[Node 10.0.0.1]: Role= is missing"),
    ("[ZooKeeper]\nChroot=diag\n", "2: Chroot: "),
    ("[ZooKeeper]\nHosts=127.0.0.1:2181\n", "MastersExpected= is missing"),
    ("[Mesos]\nUrl=leader.mesos\n", "2: Url: "),
    ("[Exhibitor]\nInterval=0\n", "2: Interval: "),
    ("[Listen]\nListen=nowhere\n", "2: Listen: "),
    ("[Listen]\nListen=0.0.0.0:1050\n", "Insecure"),
    ("[Log]\nLevel=loud\n", "2: Level: 'loud'"),
    ("[Cluster]\nNodesFile=/nowhere\n", "/nowhere"),
    ("[Cluster]\nNodesFile=/run/bad-nodes\n", "/run/bad-nodes:2: a line is ROLE ADDRESS[:PORT]"),
    ("[Cluster]\nNodesFile=/run/bad-nodes\n", "/run/bad-nodes:3: 'king'"),
    ("[Cluster]\nMastersExpected=1\nNode=master=10.0.0.1\nNode=master=10.0.0.2\n",
     "MastersExpected=1, but 2 masters are listed"),
]


@test
def agent_ends(m):
    "notices within 15 seconds that the daemon of an agent has ended in good order, and that it is back"
    agentd = m.start("diag-agentd", "--listen", "127.0.0.1:1080")
    with by_hand(m, "--node", f"master={GOOD}:1050", "--node", "agent=127.0.0.1:1080"):
        def is_ok(reach="ok"):
            return rows(m, port=1070).get("127.0.0.1", {}).get("reach") == reach
        eventually(is_ok)
        assert agentd.stop() == 0
        began = time.monotonic()
        eventually(lambda: is_ok("unreachable"), 15)
        print(f"# unreachable after {time.monotonic() - began:.1f} s")
        assert cluster(m, port=1070)["health"] == "healthy", "agents decide nothing"
        m.start("diag-agentd", "--listen", "127.0.0.1:1080")
        eventually(is_ok, 15)


@test
def check_config(m):
    "says of each fault of the configuration in which line it is, and does nothing else"
    (m.root / "run/bad-nodes").write_text("master 10.0.0.1\nagent\nking 10.0.0.2\n")
    file = m.root / "run/test.conf"

    def run(*words):
        return m.exec(*NOBODY, "diag-aggregatord", *words, "--check-config", check=False)
    unnamed = []
    for text, says in FAULTS:
        file.write_text(text)
        done = run("--config", "/run/test.conf")
        assert done.returncode == 2 and says in done.stderr, (text, done)
        if says[0].isdigit():
            assert f"/run/test.conf:{says}" in done.stderr, (text, done)
        elif not re.search(r"\S+:\d+: ", done.stderr):
            unnamed.append(done.stderr.strip())
    print(f"# {len(FAULTS)} faults; {len(unnamed)} of them are of the whole, and name no line")
    assert len(unnamed) == 5, unnamed
    for words in [("--node", "master"), ("--masters-expected", "x"), ("--nodes-file", "/nowhere"), ("--listen", "x"),
                  ("--config", "/nowhere"), ("--allow", "10.0.0.0/33"), ("--nonsense",), ("word",)]:
        done = run(*words)
        assert done.returncode == 2 and words[-1].lstrip("-") in done.stderr, (words, done)
    # All of them at once, and a good one by the same words.
    file.write_text("[Cluster]\nNode=master\nMastersExpected=x\n[Log]\nLevel=loud\n")
    said = run("--config", "/run/test.conf").stderr
    assert all(f"/run/test.conf:{n}: " in said for n in (2, 3, 5)), said
    file.write_text("[Cluster]\nName=prod\nNode=master=10.0.0.1\nNode=agent=[::1]:1050\nNode=agent=some.name\n")
    done = run("--config", "/run/test.conf")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    (m.root / "run/test.conf.d").mkdir(exist_ok=True)
    (m.root / "run/test.conf.d/a.conf").write_text("\n[Cluster]\nName=x\nViewMaxAge=never\n")
    assert "/run/test.conf.d/a.conf:4: " in run("--config", "/run/test.conf").stderr
    (m.root / "run/test.conf.d/a.conf").unlink()
    done = run("--version")
    assert done.returncode == 0 and re.fullmatch(r"diag-aggregatord \S+\n", done.stdout), done
    assert "--masters-expected" in run("--help").stdout


@test
def signals(m):
    "ends at once by SIGTERM and SIGINT, also while it waits for a node and clients wait for it"
    for number in signal.SIGTERM, signal.SIGINT:
        daemon = m.start(*NOBODY, "diag-aggregatord", "--listen", "127.0.0.1:1071", "--node", f"master={SLOW}",
                         "--node", f"agent={GOOD}")
        tag = eventually(lambda: m.get(CLUSTER, port=1071).headers["ETag"])
        waiting = m.connection(port=1071)
        waiting.request("GET", CLUSTER, headers={"If-None-Match": tag, "Prefer": "wait=45"})
        began = time.monotonic()
        daemon.signal(number)
        assert daemon.wait(5) == 0
        print(f"# ended {time.monotonic() - began:.2f} s after {number.name}")
        assert time.monotonic() - began < 2
        waiting.close()


@test
def reloads(m):
    "takes nodes in and out when it is reloaded, keeps what it knows of the others, and keeps all when it is broken"
    file = m.root / "run/reload.conf"

    def configure(*nodes, more=""):
        file.write_text("[Cluster]\n" + "".join(f"Node={n}\n" for n in nodes) + more)
    configure(f"master={GOOD}:1050")
    with by_hand(m, "--config", "/run/reload.conf") as daemon:
        becomes(m, "healthy", port=1070)
        asked = len(m.fleet.requests(GOOD))
        configure(f"master={GOOD}:1050", f"agent={BAD}:1050")
        daemon.signal(signal.SIGHUP)
        eventually(lambda: rows(m, port=1070).get(BAD, {}).get("health") == "unhealthy")
        assert cluster(m, port=1070)["health"] == "healthy"
        # A master that is new is not healthy before it has answered.
        configure(f"master={GOOD}:1050", f"master={SLOW}:1050")
        daemon.signal(signal.SIGHUP)
        of = becomes(m, "unhealthy", port=1070)
        assert of["masters"]["expected"] == 2 and {r.get("address") for r in of["reasons"]} <= {SLOW, None}, of
        assert BAD not in rows(m, port=1070)
        configure(f"master={GOOD}:1050")
        daemon.signal(signal.SIGHUP)
        of = becomes(m, "healthy", port=1070)
        assert of["masters"]["expected"] == 1 and rows(m, port=1070).keys() == {GOOD}, of
        for more, says in [("ViewMaxAge=never\n", "/run/reload.conf:2: ViewMaxAge: "),
                           ("MastersExpected=1\nNode=x\n", "/run/reload.conf:3: Node: "),
                           # Read without a fault, and refused by the part that is to use it.
                           ("MastersExpected=2\nNode=agent=127.0.7.7\n[ZooKeeper]\nHosts=:::\n", "not HOST:PORT")]:
            configure(more=more)
            daemon.signal(signal.SIGHUP)
            eventually(lambda: says in daemon.output(), what=daemon.output())
        eventually(lambda: "stays what it was" in daemon.output())
        assert cluster(m, port=1070)["health"] == "healthy" and rows(m, port=1070).keys() == {GOOD}
        # It was asked all the time, and never anew.
        plain = [r for r in m.fleet.requests(GOOD)[asked:] if "If-None-Match" not in r.headers and
                 "outputs" not in r.target and r.headers["User-Agent"].startswith("diag/")]
        assert not plain, plain


@test
def without_ipv6(m):
    "comes up on a machine whose kernel has no IPv6, and makes no words about it"
    m.exec("systemd-run", "--unit=no-ipv6", "-q", "-p", "RestrictAddressFamilies=AF_UNIX AF_INET",
           "-p", "SystemCallErrorNumber=EAFNOSUPPORT", *NOBODY, "diag-aggregatord", "--node", f"master={GOOD}:1050")
    try:
        becomes(m, "healthy", port=1050)
        said = m.exec("journalctl", "-o", "cat", "-u", "no-ipv6").stdout
        assert "127.0.0.1:1050" in said and "::1" not in said, said
    finally:
        m.systemctl("stop", "no-ipv6")


@test
def nothing_to_write(m):
    "works where nothing can be written, and says once that it will not remember"
    with by_hand(m, "--node", f"master={GOOD}:1050", who=("env", "STATE_DIRECTORY=/proc/nowhere")) as daemon:
        becomes(m, "healthy", port=1070)
        eventually(lambda: "/proc/nowhere" in daemon.output())
        assert daemon.output().count("/proc/nowhere") == 1, daemon.output()


# --- as a service -------------------------------------------------------------------------------------

@contextlib.contextmanager
def as_service(m, text=None):
    """Both daemons, as on a master that is a cluster of its own."""
    (m.root / "etc/diag").mkdir(exist_ok=True)
    (m.root / "etc/diag/agentd.conf").write_text("[Agent]\nRole=master\n")
    if text:
        (m.root / CONF[1:]).write_text(text)
    m.systemctl("enable", "--now", MASTER_SOCKET, SOCKET, AGENTD, SERVICE)
    try:
        becomes(m, "healthy", 20)
        yield
    finally:
        (m.root / CONF[1:]).unlink(missing_ok=True)
        m.systemctl("stop", SERVICE, SOCKET, AGENTD, MASTER_SOCKET)


def main_pid(m):
    return int(m.systemctl("show", "-P", "MainPID", SERVICE))


def outside(m, pid):
    """A process of the node as this machine numbers it."""
    assert pid > 1, pid
    inside = os.readlink(f"/proc/{m.init}/ns/pid")
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(proc / "ns/pid") == inside and \
                    re.search(rf"^NSpid:.*\t{pid}$", (proc / "status").read_text(), re.M):
                return int(proc.name)
    raise AssertionError(f"no process {pid} in the node")


def drop_in(m, text):
    m.write({f"systemd/system/{SERVICE}.d/test.conf": text})
    m.systemctl("daemon-reload")


def no_drop_in(m):
    (m.root / f"etc/systemd/system/{SERVICE}.d/test.conf").unlink()
    m.systemctl("daemon-reload")


@test
def service(m):
    "runs as its own user without any privilege, is little exposed, and is ready when it says so"
    with as_service(m):
        status = Path(f"/proc/{outside(m, main_pid(m))}/status").read_text()
        user = int(m.exec("id", "-u", "diag-aggregator").stdout)
        assert re.search(rf"^Uid:\t{user}\t{user}\t{user}\t{user}$", status, re.M), status
        assert re.search(r"^CapBnd:\t0+$", status, re.M) and "NoNewPrivs:\t1" in status, status
        said = m.exec("systemd-analyze", "security", "--no-pager", SERVICE).stdout.splitlines()[-1]
        print(f"# {said.strip()}")
        assert float(re.search(r": (\d+\.\d)", said)[1]) <= 2.5, said
        assert m.systemctl("show", "-P", "Type,NotifyAccess,WatchdogUSec".split(",")[0], SERVICE) == "notify"
        assert m.systemctl("show", "-P", "WatchdogUSec", SERVICE) == "30s"
        needs = m.systemctl("show", "-p", "Requires,Requisite,BindsTo,RequiresMountsFor", SERVICE)
        assert "/var" not in needs and "mount" not in needs and "dbus" not in needs, needs
        mode = m.exec("stat", "-c", "%U %a", "/var/lib/diag/aggregatord", "/run/diag/aggregatord", FRONT_DOOR).stdout
        assert mode.split("\n")[:3] == ["diag-aggregator 700", "diag-aggregator 755", "root 666"], mode
        for where in {}, {"port": 1050}, {"port": 1050, "address": "::1"}:
            assert cluster(m, **where)["health"] == "healthy"
        # Without it, it is started by the first who asks.
        m.systemctl("stop", SERVICE)
        assert m.systemctl("is-active", SERVICE, check=False) == "inactive"
        assert becomes(m, "healthy", port=1050) and main_pid(m) > 1
        found = m.exec("diag", "status", check=False)
        assert found.returncode == 0, found


@test
def forwards(m):
    "passes on what is about this machine to its node daemon, for whom the caller is"
    ordinary = ("setpriv", "--reuid=1234", "--regid=1234", "--clear-groups")
    group = m.exec("getent", "group", "diag").stdout.split(":")[2]
    member = ("setpriv", "--reuid=1234", "--regid=1234", f"--groups={group}")
    front_door = ("--unix-socket", FRONT_DOOR)

    def status(url, who, *more, where=front_door):
        words = ("-s", "-o", "/dev/null", "-w", "%{http_code}", *where, *more)
        return int(m.exec(*who, "curl", *words, f"http://localhost{url}").stdout)
    put = ("-X", "PUT", "-H", "Content-Type: application/json", "-d", '{"for_seconds": 60, "reason": "test"}')
    loopback = ("--connect-to", "localhost:80:127.0.0.1:1050")
    with as_service(m):
        for who, where, read, operate in [((), front_door, 200, 200), (member, front_door, 200, 200),
                                          (ordinary, front_door, 403, 403), ((), loopback, 403, 403)]:
            assert status(V1, who, where=where) == status(V2, who, where=where) == 200
            assert status(V2 + "?fields=health", who, where=where) == 200
            assert status(COMPONENT, who, where=where) == read, (who, where)
            assert status("/system/health/v1/v2/node/components/good.service", who, where=where) == read
            assert status(V2 + "/maintenance", who, *put, where=where) == operate, (who, where)
            assert status(V2 + "/maintenance", who, "-X", "DELETE", where=where) == operate, (who, where)
        # Nobody can speak for somebody else.
        assert status(COMPONENT, ordinary, "-H", "Diag-Caller: operate 1 root") == 403
        assert status(COMPONENT, (), "-H", "Diag-Caller: operate 1 root", where=loopback) == 403
        assert m.get(COMPONENT).json() == m.get(COMPONENT, unix=AGENTD_SOCKET).json()
        direct, passed = m.get(V2 + "?fields=health", unix=AGENTD_SOCKET), m.get(V2 + "?fields=health")
        for name in "ETag", "Content-Type", "Cache-Control":
            assert direct.headers[name] == passed.headers[name], (name, passed.headers.items())
        assert direct.body == passed.body
        assert m.get(V2 + "?fields=health", {"If-None-Match": direct.headers["ETag"], "Prefer": "wait=1"}).status == 304
        for url in V1, V2:
            assert m.request("HEAD", url).status == 200 and m.get(url + "/").status == 301
        assert m.request("POST", V1).status == 405 and m.get(V2 + "/components/none.service").status == 404
        m.systemctl("stop", AGENTD, MASTER_SOCKET)
        began = time.monotonic()
        answers = [m.get(V1), m.get(V2), m.get(COMPONENT)]
        assert [a.status for a in answers] == [503] * 3 and answers[1].json()["reason"] == "node-unreachable", answers
        print(f"# three times 503 in {time.monotonic() - began:.2f} s without agentd")
        of = becomes(m, "unhealthy")
        print(f"# {of['reasons'][0]['code']} after {time.monotonic() - began:.1f} s")
        assert codes(of) == {"master-unreachable"}, of
        m.systemctl("start", MASTER_SOCKET, AGENTD)
        began = time.monotonic()
        becomes(m, "healthy", 40)
        print(f"# healthy {time.monotonic() - began:.1f} s after agentd was started again")


class Client(threading.Thread):
    """Asks again and again, on a new connection each time, and keeps what must not be."""

    def __init__(self, m, **where):
        super().__init__(daemon=True)
        self.m, self.where, self.n, self.failed, self.done = m, where, 0, [], threading.Event()
        self.healths = set()

    def run(self):
        if "port" in self.where:
            self.m.in_network(self.ask)
        else:
            self.ask()

    def ask(self):
        while not self.done.is_set():
            try:
                answer = self.m.get(CLUSTER, timeout=20, **self.where)
                assert answer.status == 200, answer
                self.healths.add(answer.json()["health"])
            except Exception as e:      # whatever it is: it is what the client got
                self.failed.append(repr(e))
            self.n += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(30)


@contextlib.contextmanager
def clients(m, at_least=RESTARTS):
    with contextlib.ExitStack() as stack:
        all_of_them = [stack.enter_context(Client(m, **where))
                       for where in ({}, {"port": 1050}, {"port": 1050, "address": "::1"})]
        yield all_of_them
    for client in all_of_them:
        assert not client.failed and client.n >= at_least, (client.n, client.failed[:3])


@test
def restarts(m):
    "is restarted again and again, as an upgrade does it, and nobody who asks meanwhile is refused"
    with as_service(m):
        began = time.monotonic()
        with clients(m) as asking:
            for _ in range(RESTARTS):
                m.systemctl("restart", SERVICE)
            m.exec("cp", "/usr/sbin/diag-aggregatord", "/another")
            drop_in(m, "[Service]\nExecStart=\nExecStart=/another\n")
            m.systemctl("restart", SERVICE)
            assert os.readlink(f"/proc/{outside(m, main_pid(m))}/exe") == "/another"
            no_drop_in(m)
            m.systemctl("restart", SERVICE)
        print(f"# {RESTARTS + 2} restarts in {time.monotonic() - began:.1f} s, {sum(c.n for c in asking)} requests")
        pid = main_pid(m)
        os.kill(outside(m, pid), signal.SIGKILL)
        becomes(m, "healthy")
        assert main_pid(m) not in (0, pid)


@test
def hangs(m):
    "is killed and started again by systemd when it hangs, and until then its readers are told"
    with as_service(m):
        drop_in(m, "[Service]\nWatchdogSec=2s\n")
        m.systemctl("restart", SERVICE)
        pid = main_pid(m)
        os.kill(outside(m, pid), signal.SIGSTOP)
        began = time.monotonic()
        eventually(lambda: main_pid(m) not in (0, pid), 20)
        print(f"# started again {time.monotonic() - began:.1f} s after SIGSTOP, with a watchdog of 2 s")
        assert "Watchdog timeout" in journal(m), journal(m)
        becomes(m, "healthy")
        no_drop_in(m)
        m.systemctl("restart", SERVICE)


@test
def view_stale(m):
    "tells its readers that the view is stale when its loop hangs: by time, and those who wait as well"
    (m.root / "run/stale.conf").write_text("[Cluster]\nViewMaxAge=5s\n")
    nodes = ("--node", f"master={GOOD}:1050", "--node", f"agent={BAD}:1050")
    with by_hand(m, "--config", "/run/stale.conf", *nodes) as daemon:
        becomes(m, "healthy", port=1070)
        eventually(lambda: rows(m, port=1070)[BAD]["health"] == "unhealthy")
        tag = m.get(CLUSTER, port=1070).headers["ETag"]
        with loop_stands(daemon), concurrent.futures.ThreadPoolExecutor() as at_once:
            began = time.monotonic()
            # What it cannot do it says, instead of hanging.
            refused = [at_once.submit(m.get, url, port=1070, timeout=30) for url in (V1, V2, V1 + "/nodes?cache")]
            woken = m.get(CLUSTER, {"If-None-Match": tag, "Prefer": "wait=45"}, port=1070, timeout=50)
            took = time.monotonic() - began
            print(f"# whoever waited was told after {took:.1f} s")
            assert woken.status == 200 and "ETag" not in woken.headers and 3 < took < 15, woken
            of = woken.json()
            assert (of["health"], of["reasons"][0]["code"]) == ("unhealthy", "view-stale"), of
            assert not of["view"]["complete"], of
            assert {n["health"] for n in m.get(V1 + "/nodes", port=1070).json()["nodes"]} == {3}
            assert {n["health"] for n in rows(m, port=1070).values()} == {"unknown"}
            assert m.get(READY, port=1070).status == 503
            assert m.get(CLUSTER, {"If-None-Match": tag}, port=1070).status == 200
            metrics = m.get("/metrics", port=1070).body.decode()
            assert "diag_cluster_healthy" not in metrics and 'code="view-stale"' in metrics, metrics
            assert [r.result().status for r in refused] == [503, 503, 504], [r.result() for r in refused]
        becomes(m, "healthy", port=1070)


@test
def full_disk(m):
    "comes up and tells the truth when there is no room left, and without its directory"
    with as_service(m):
        m.systemctl("stop", SERVICE)
        m.exec("mv", "/var/lib/diag/aggregatord", "/var/lib/diag/away")
        try:
            m.systemctl("start", SERVICE)
            becomes(m, "healthy")
            assert eventually(lambda: "nodes.json" in journal(m)), journal(m)
        finally:
            m.systemctl("stop", SERVICE)
            m.exec("mv", "/var/lib/diag/away", "/var/lib/diag/aggregatord")
        m.exec("sh", "-ec", """
            mkdir /run/kept; cp -a /var/lib/diag/. /run/kept
            mount -t tmpfs -o size=1M,nr_inodes=100 full /var/lib/diag; cp -a /run/kept/. /var/lib/diag; rm -r /run/kept
            dd if=/dev/zero of=/var/lib/diag/full bs=4k 2>/dev/null || true
            n=0; while ln -s x /var/lib/diag/full-$n 2>/dev/null; do n=$((n + 1)); done""")
        try:
            m.systemctl("start", SERVICE)
            becomes(m, "healthy")
            m.exec("mount", "-o", "remount,ro", "/var/lib/diag")
            m.systemctl("restart", SERVICE)
            becomes(m, "healthy")
        finally:
            m.systemctl("stop", SERVICE)
            m.exec("umount", "/var/lib/diag")
            m.systemctl("start", SERVICE)
        becomes(m, "healthy")


@test
def reload_of_the_service(m):
    "is reloaded by systemctl, which fails where the configuration is broken"
    with as_service(m, f"[Cluster]\nNode=master={GOOD}:1050\n"):
        pid = main_pid(m)
        (m.root / CONF[1:]).write_text(f"[Cluster]\nNode=master={GOOD}:1050\nNode=agent={BAD}:1050\n")
        m.systemctl("reload", SERVICE)
        eventually(lambda: rows(m).get(BAD, {}).get("health") == "unhealthy")
        (m.root / CONF[1:]).write_text("[Cluster]\nNode=what\n")
        assert m.exec("systemctl", "reload", SERVICE, check=False).returncode != 0, "it calls that a success"
        assert f"{CONF}:2: " in journal(m) and rows(m).keys() == {GOOD, BAD} and main_pid(m) == pid, journal(m)


tap.main(machine)
