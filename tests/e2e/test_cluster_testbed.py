#!/usr/bin/env python3
"""The cluster itself: what all tests of the aggregator stand on."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Another python3 may stand before Debian's in PATH; only that one surely has kazoo.
if sys.executable != "/usr/bin/python3":
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

import tap
import zookeeper as zk
from cluster import AGENTD, AGENTD_SOCKET, HEALTH, Cluster, installed, test, wait_until
from tap import Skip

V1 = "/system/health/v1"
MARATHON = "dcos-marathon.service"
# Claims more than it sends.
LIAR = r"""
import socket
s = socket.create_server(("", 1050))
while True:
    with s.accept()[0] as c:
        c.recv(4096)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"health\": ")
"""
NGINX = """daemon off; pid {dir}/nginx.pid; error_log stderr; events {{}}
http {{ access_log off; client_body_temp_path {dir}; proxy_temp_path {dir}; fastcgi_temp_path {dir};
    uwsgi_temp_path {dir}; scgi_temp_path {dir};
    server {{ listen 80; location / {{ proxy_pass http://{address}:{port}; }} }} }}
"""
PROMETHEUS = """
scrape_configs:
  - job_name: diag
    scrape_interval: 200ms
    scrape_timeout: 200ms
    static_configs: [{{targets: ["{address}:{port}"]}}]
"""
INTERRUPTED = """
import sys
import tap
from cluster import Cluster
from tap import test

@test
def waits(c):
    print(c.name, flush=True)
    sys.stdin.read()

class Small(Cluster):
    def boot(self, *nodes):
        self.testnode("net", "true")
        print(self.name, flush=True)
        super().boot(*nodes)

tap.main(lambda: Small(masters=1, public=0, zookeeper=False))
"""


@contextlib.contextmanager
def timed_cluster():
    began = time.monotonic()
    with Cluster(settle=False) as c:
        booted = time.monotonic()
        wait_until(c.zookeeper.is_whole, 60, "each member of the ensemble serves")
        serving = time.monotonic()
        c.settle()
        settled = time.monotonic()
        print(f"# {len(c.nodes)} nodes answered after {booted - began:.1f} s, their ZooKeeper served after "
              f"{serving - began:.1f} s, all was well after {settled - began:.1f} s")
        yield c
        leaving = time.monotonic()
    print(f"# gone after {time.monotonic() - leaving:.1f} s")


def need_agentd():
    if not installed(AGENTD):
        raise Skip("DIAG_INSTALL names no installed tree")


def active_since(node, unit):
    return int(node.systemctl("show", "-P", "ActiveEnterTimestampMonotonic", unit))


def state(node, unit=MARATHON):
    return node.systemctl("show", "-P", "SubState", unit)


def main_pid(node, unit):
    return int(node.systemctl("show", "-P", "MainPID", unit))


def boot_id(node):
    return node.exec("cat", "/proc/sys/kernel/random/boot_id").stdout


def health(node, **where):
    return node.get(HEALTH, **{"unix": AGENTD_SOCKET, "timeout": 1, **where}).json()["health"]


def reaches(sender, receiver):
    """Does a datagram arrive? Tried again, for it may be lost while the sender asks for the hardware address."""
    def udp():
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver.in_network(udp) as to, sender.in_network(udp) as out:
        to.bind((receiver.address, 0))
        to.settimeout(0.1)
        for _ in range(5):
            out.sendto(b"?", to.getsockname())
            with contextlib.suppress(TimeoutError):
                return to.recv(1) == b"?"
    return False


def ups(answer):
    """What Prometheus knows of its targets; it begins to answer before it knows."""
    return answer.status == 200 and [r["value"][1] for r in answer.json()["data"]["result"]]


def traces(name):
    """What on this machine carries the name of a testbed."""
    left = [p for d in ("/run/netns", "/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified",
                        "/run/systemd/nspawn/propagate") if Path(d).is_dir()
            for p in Path(d).iterdir() if p.name.startswith(name)]
    for proc in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if name.encode() in (proc / "cmdline").read_bytes():
                left.append(proc)
    for top in Path(tempfile.gettempdir()).glob("diag-e2e-*"):
        with contextlib.suppress(OSError):
            if (top / "bed/.name").read_text().strip() == name:
                left.append(top)
    return left


@test
def is_an_ensemble(c):
    "has a real ensemble: one leader, whom two follow, and what one writes the others read"
    assert sorted(c.zookeeper.modes()) == ["follower", "follower", "leader"]
    figures = c.zookeeper.figures(c.zookeeper.leader)
    assert (figures["zk_server_state"], figures["zk_synced_followers"]) == ("leader", "2"), figures
    first, _, last = c.zookeeper.members
    with c.zookeeper.client(first) as writer, c.zookeeper.client(last) as reader:
        path = writer.create("/testbed-", b"written", sequence=True)
        reader.sync(path)
        assert reader.get(path)[0] == b"written"
        writer.delete(path)


@test
def agents_answer(c):
    "lets the agent of each node be asked from everywhere on the network, by TCP"
    need_agentd()
    for node in c.nodes:
        for asking in (c.outside, c.agents[0]):
            said = asking.get(V1, **node.tcp).json()
            assert (said["node_role"], said["ip"]) == (node.role, node.address), said
            assert {u["id"] for u in said["units"]} >= set(node.components()), said


@test
def comes_up_in_order(c):
    "comes up in the order of needs, also where one lies on another node"
    order = [zk.UNIT, "dcos-mesos-master.service", "dcos-mesos-dns.service", MARATHON, "dcos-adminrouter.service"]
    for master in c.masters:
        since = [active_since(master, unit) for unit in order]
        assert since == sorted(since), since
    first_master = min(active_since(m, "dcos-mesos-master.service") for m in c.masters)
    assert active_since(c.agents[0], "dcos-mesos-slave.service") > first_master
    assert active_since(c.public[0], "dcos-mesos-slave-public.service") > first_master


@tap.test
def trusts_by_certificates(_):
    "has its agents speak TLS, if asked, and trust by certificates of the cluster's authority"
    need_agentd()
    with Cluster(masters=1, public=0, zookeeper=False, tls=True) as c:
        for node in c.nodes:
            text = node.exec("openssl", "x509", "-in", "/etc/diag/tls/node.pem", "-noout", "-text").stdout
            assert node.address in text and f"URI:diag://test/{node.role}" in text, text
            assert c.outside.get(V1, **node.tcp).json()["node_role"] == node.role
            stranger = c.outside.get(V1, **{**node.tcp, "tls": c.authority.context()})
            assert stranger.status == 403, stranger
            assert not c.outside.raw(b"GET / HTTP/1.0\r\n\r\n", **{**node.tcp, "tls": None}).startswith(b"HTTP")


@test
def fails_components(c):
    "fails a component for good, or again and again, and starts it anew"
    m1 = c.masters[0]
    m1.fail(MARATHON)
    wait_until(lambda: state(m1) == "failed", 5, "it has failed")
    m1.start_unit(MARATHON)
    wait_until(lambda: state(m1) == "running", 5, "it runs again")
    m1.fail(MARATHON, status=1)
    wait_until(lambda: int(m1.systemctl("show", "-P", "NRestarts", MARATHON)) > 1, 10, "it flaps")
    if installed(AGENTD):
        assert health(m1) == "unhealthy"


@test
def kills_and_freezes_daemons(c):
    "kills a daemon, which systemd starts again, and freezes one, which systemd goes on calling active"
    need_agentd()
    a1 = c.agents[0]
    before = main_pid(a1, AGENTD)
    a1.kill_unit(AGENTD)
    wait_until(lambda: main_pid(a1, AGENTD) not in (0, before), 5, "systemd has started another")
    wait_until(lambda: health(a1) == "healthy", 5, "it answers")
    a1.freeze(AGENTD)
    assert state(a1, AGENTD) == "running"
    with contextlib.suppress(TimeoutError):
        raise AssertionError(a1.get(V1, timeout=0.5))
    a1.thaw(AGENTD)
    wait_until(lambda: health(a1) == "healthy", 5, "it answers again")


@test
def pauses_nodes(c):
    "freezes a whole node, to which others still can connect, but nobody answers"
    need_agentd()
    p1 = c.public[0]
    p1.pause()
    with contextlib.suppress(TimeoutError):
        raise AssertionError(c.outside.get(V1, **p1.tcp, timeout=0.5))
    p1.resume()
    wait_until(lambda: health(c.outside, **p1.tcp) == "healthy", 5, "it answers again")


@test
def cuts_one_way(c):
    "loses what comes in, or what goes out, or both, until it is healed"
    m2, m3 = c.masters[1:]
    for way, sends, gets in (("in", True, False), ("out", False, True), ("both", False, False)):
        assert reaches(m2, m3) and reaches(m3, m2), way
        m2.cut(way)
        assert (reaches(m2, m3), reaches(m3, m2)) == (sends, gets), way
        m2.heal()
    wait_until(lambda: reaches(m2, m3) and reaches(m3, m2), 5, "healed")


@test
def switches_off_and_on(c):
    "loses power, shuts down, boots again with what is on the disk, and reboots in good order"
    m3 = c.masters[2]
    boots = [boot_id(m3)]
    m3.write({"testbed/kept": "on the disk"})
    for off in (m3.off, m3.poweroff):
        off()
        assert not Path(f"/proc/{m3.init}").exists()
        assert m3 not in [m for m in c.zookeeper.members if c.zookeeper.mode(m)]
        m3.on()
        boots.append(boot_id(m3))
    m3.reboot()
    boots.append(boot_id(m3))
    assert len(set(boots)) == 4, boots
    assert (m3.root / "etc/testbed/kept").read_text() == "on the disk"
    wait_until(c.zookeeper.is_whole, 30, "its member of the ensemble is back")


@test
def loses_members(c):
    "elects another leader when one is killed or frozen, and loses its quorum with the majority"
    for fault in (lambda m: m.stop_unit(zk.UNIT), lambda m: m.freeze(zk.UNIT), lambda m: m.cut()):
        wait_until(c.zookeeper.is_whole, 30, "all members serve")
        leader = c.zookeeper.leader
        others = [m for m in c.zookeeper.members if m is not leader]
        fault(leader)
        wait_until(lambda: sorted(map(str, map(c.zookeeper.mode, others))) == ["follower", "leader"], 20, "one leads")
        leader.mend()
    wait_until(c.zookeeper.is_whole, 30, "all members serve")
    stopped = c.zookeeper.lose_quorum()
    assert len(stopped) == 2
    wait_until(lambda: not c.zookeeper.has_quorum(), 10, "the last one has seen it")
    kept = next(m for m in c.zookeeper.members if m not in stopped)
    assert c.zookeeper.say(kept, "ruok") == "imok"


@test
def runs_strangers(c):
    "runs other programs on the network, at addresses of their own: one that lies, nginx, Prometheus"
    need_agentd()
    a1 = c.agents[0]
    c.stranger("10.77.0.66", "/usr/bin/python3", "-c", LIAR)
    wait_until(lambda: a1.raw(b"GET / HTTP/1.0\r\n\r\n", port=1050, address="10.77.0.66")
               .endswith(b'{"health": '), 5, "the liar answers")
    (c.top / "nginx.conf").write_text(NGINX.format(dir=c.top, **a1.tcp))
    c.stranger("10.77.0.67", "nginx", "-e", "stderr", "-c", str(c.top / "nginx.conf"))
    wait_until(lambda: health(c.masters[0], port=80, address="10.77.0.67") == "healthy", 5, "nginx passes it on")
    (c.top / "prometheus.yml").write_text(PROMETHEUS.format(**a1.tcp))
    c.outside.start("prometheus", f"--config.file={c.top}/prometheus.yml", f"--storage.tsdb.path={c.top}/tsdb",
                    "--web.listen-address=127.0.0.1:9090")
    wait_until(lambda: ups(c.outside.get("/api/v1/query?query=up", port=9090)) == ["1"], 20,
               "Prometheus has scraped the agent")


@test
def adds_and_removes(c):
    "boots one node more, and takes it away for good"
    added = c.add("agent", 2)
    assert c.agents[1] is added
    c.settle()
    c.remove(added)
    assert added not in c.nodes
    assert not Path(added.net).exists()


@test
def is_reset(c):
    "is reset to health whatever was done to it, and boots nobody anew but who was off"
    m1, m2, m3 = c.masters
    a1, p1 = c.agents[0], c.public[0]
    boots = [boot_id(n) for n in (m1, m2, m3, p1)]
    m1.fail(MARATHON)
    m1.cut("out")
    m2.freeze(zk.UNIT)
    m2.systemctl("stop", "dcos-net.service")
    m3.stop_unit("dcos-mesos-dns.service")
    m3.pause()
    m3.cut()
    a1.off()
    stranger = c.stranger("10.77.0.66", "sleep", "inf")
    pid = stranger.daemons[0].pid
    c.reset()
    assert c.is_well() and not any(n.faults for n in c.nodes)
    assert [boot_id(n) for n in (m1, m2, m3, p1)] == boots
    assert not Path(f"/proc/{pid}").exists()


@test
def stays_inside(c):
    "has a network without a way out: the cables of the nodes end in one bridge, and nothing else does"
    def links(peer):
        return {link["ifname"] for link in json.loads(peer.exec("ip", "-json", "link").stdout)}
    assert links(c.outside) == {"lo", "br0"} | {f"ve-{n.name}" for n in c.nodes}
    assert not json.loads(c.outside.exec("ip", "-json", "route", "show", "default").stdout)
    for node in c.nodes:
        assert links(node) == {"lo", "host0"}


@tap.test
def says_what_it_awaited(_):
    "says what was awaited in vain, and what was last"
    try:
        wait_until(lambda: 0, 0.1, "the moon rises")
    except AssertionError as e:
        assert str(e) == "the moon rises: not within 0.1 s; last: 0", e
    else:
        raise AssertionError("it did not wait")


@tap.test
def leaves_nothing_behind(_):
    "leaves nothing behind when it is interrupted or ended, while it boots or later"
    for number, n_lines in ((signal.SIGINT, 1), (signal.SIGTERM, 1), (signal.SIGTERM, 2)):
        test_run = subprocess.Popen([sys.executable, "-c", INTERRUPTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parent)
        said = (line.strip() for line in test_run.stdout if line.startswith("diag-"))
        name = [next(said) for _ in range(n_lines)][-1]
        assert traces(name)
        test_run.send_signal(number)
        assert test_run.wait(30) != 0
        wait_until(lambda: not traces(name), 10, f"nothing of {name} is there any more")


tap.main(timed_cluster)
