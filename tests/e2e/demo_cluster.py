#!/usr/bin/env python3
"""demo_cluster.py [--port PORT] - boot a cluster of real systemd nodes, break it, and show what diag says of it

With a port, it then serves the cluster on 127.0.0.1 until it is interrupted. The exit status is 0 if each view was what
it had to be. Nothing is left behind, however it ends.
"""
import argparse
import contextlib
import fcntl
import http.client
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

from cluster import Cluster
from node import TESTNODE
from tap import Skip

CLUSTER, NODES = "/system/health/v2/cluster", "/system/health/v2/nodes"
EXHIBITOR, NET = "dcos-exhibitor.service", "dcos-net.service"
# What the components of a master wait for is to the left of them.
IN_ORDER = ("zookeeper", "mesos-master", "mesos-dns", "net", "marathon", "bouncer", "adminrouter")
PROXY = ("/lib/systemd/systemd-socket-proxyd", "/usr/lib/systemd/systemd-socket-proxyd")
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
# An agent may take that long to be found silent, and a component that has just changed is told later.
PATIENCE = 60


class Wrong(Exception):
    """What was shown is not what had to be."""


# --- words on a terminal ---

def paint(sgr, text):
    return f"\033[{sgr}m{text}\033[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


def title(text):
    print(f"\n{paint(1, text)}")


def say(text, end="\n"):
    print(text, end=end, flush=True)


def health(word):
    return paint({"healthy": "32", "unhealthy": "1;31"}.get(word, "1;33"), word)


# --- leaving ---

def ignore_signals():
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def leave(status):
    """Whoever asks for it again waits until all is tidied up."""
    ignore_signals()
    with contextlib.suppress(OSError):
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), b"\n")   # behind ^C
    sys.exit(status)


def leave_when_told(interrupted=128 + signal.SIGINT):
    for number in SIGNALS:
        status = interrupted if number == signal.SIGINT else 128 + number
        signal.signal(number, lambda *_, status=status: leave(status))


# --- what diag says ---

def ask(node, url):
    """None while nobody answers there."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        answer = node.get(url, timeout=2)
        return answer.json() if answer.status == 200 else None


def wait_for(node, url, question, what):
    """Seconds until the answer satisfies."""
    began = time.monotonic()
    while True:
        said = ask(node, url)
        if said and question(said):
            return time.monotonic() - began
        if time.monotonic() - began > PATIENCE:
            raise Wrong(f"{what}: not within {PATIENCE} s; {node.name} says: {said}")
        time.sleep(0.05)


def read_all(fd):
    said = b""
    with contextlib.suppress(OSError):      # what a terminal says when the other end has gone
        while chunk := os.read(fd, 65536):
            said += chunk
    return said.decode()


def output_of(argv, env):
    """All that it prints, as for our terminal if that is one; and its exit status."""
    if not sys.stdout.isatty():
        done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, text=True, timeout=30)
        return done.stdout, done.returncode
    ours, its = pty.openpty()
    try:
        size = fcntl.ioctl(sys.stdout, termios.TIOCGWINSZ, bytes(8))
        fcntl.ioctl(its, termios.TIOCSWINSZ, size)
        with subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=its) as running:
            os.close(its)
            return read_all(ours).replace("\r\n", "\n"), running.wait(30)
    finally:
        os.close(ours)


def show(node, *words, status, has=()):
    """Run diag on a node, and have everybody see what it prints. A narrow terminal does not show all columns."""
    say(f"\n{node.name}$ diag {' '.join(words)}")
    text, got = output_of([TESTNODE, *node.enter, "diag", *words], node.bed.env)
    say(text.rstrip())
    plain = re.sub(r"\033\[[0-9;]*m", "", text)
    if got != status:
        raise Wrong(f"diag {' '.join(words)} ended with {got}, not {status}")
    if missing := [h for h in has if not re.search(h, plain)]:
        raise Wrong(f"diag {' '.join(words)} does not show {missing}")


# --- what happens ---

def is_healthy(said):
    return said["health"] == "healthy"


def is_whole(said):
    """The agents, too, which do not decide."""
    return is_healthy(said) and all(n["healthy"] == sum(n[w] for w in ("healthy", "unhealthy", "unknown"))
                                    for n in said["nodes"].values())


def has_reason(code, address, component=None):
    wanted = (code, address, component)
    return lambda said: any((r["code"], r.get("address"), r.get("component")) == wanted for r in said["reasons"])


def heal(c, node, how):
    say(f"\n{how}: ", end="")
    began = time.monotonic()
    node.mend()
    for master in c.masters:
        wait_for(master, CLUSTER, is_whole, "the cluster is healthy")
    say(f"all masters say {health('healthy')} after {time.monotonic() - began:.1f} s")


def short_name(unit):
    return unit.removeprefix("dcos-").removesuffix(".service")


def staircase(said):
    """For each component, how many masters wait for it."""
    waiting = [short_name(r["component"]) for r in said["reasons"] if r.get("component")]
    cells = [f"{waiting.count(name) or '·':>{len(name)}}" for name in IN_ORDER]
    others = sorted(set(waiting) - set(IN_ORDER))
    return " ".join([*cells, *others]) if waiting else ""


def follow_boot(c, began):
    """A line whenever a master sees the cluster otherwise, until that is healthy."""
    master, last, n_lines = c.masters[0], (), 0
    say(f"{'':9}{' '.join(IN_ORDER)}")
    while True:
        said = ask(master, CLUSTER)
        if said and (now := (said["reasons"] and said["reasons"][0]["code"], staircase(said))) != last:
            what = now[1]
            if last[:1] != now[:1] or not what:
                head = f"{health(said['health'])}: {said['summary']}"
                what = f"{head}\n{'':9}{what}" if what else head
            say(f"{time.monotonic() - began:6.1f} s {what}")
            last, n_lines = now, n_lines + 1
        if said and is_healthy(said):
            break
        if time.monotonic() - began > PATIENCE:
            raise Wrong(f"the cluster has not come up within {PATIENCE} s; {master.name} says: {said}")
        time.sleep(0.1)
    if n_lines < 2:
        raise Wrong("it was healthy from the beginning, which cannot be")
    for each in c.masters:
        wait_for(each, CLUSTER, is_whole, "all are healthy")


def boots(c, began):
    for node in c.nodes:
        say(f"    {node.name}  {node.address}  {node.role}")
    title("It turns healthy in boot order: how many masters still wait for what, as m1 sees it")
    say("m1 knows m2 and m3 from ZooKeeper. Three masters there must be, so before that it is not healthy either.")
    follow_boot(c, began)
    if sorted(c.zookeeper.modes()) != ["follower", "follower", "leader"]:
        raise Wrong(f"the ensemble is not whole: {c.zookeeper.modes()}")
    master = c.masters[0]
    show(master, "cluster", status=0, has=["healthy since", "3 of 3 healthy", r"agent +1 healthy"])
    show(master, "nodes", status=0, has=[rf"healthy +{n.role} +{n.address}" for n in c.nodes])


def component_fails(c):
    m1, m2 = c.masters[:2]
    title(f"A component of a master fails: {EXHIBITOR} on {m2.name} exits with an error")
    say(f"Its agent has a request of each master waiting for such news. {m1.name} says ", end="")
    m2.fail(EXHIBITOR)
    after = wait_for(m1, CLUSTER, has_reason("master-unhealthy", m2.address, EXHIBITOR), "it is the reason")
    say(f"{health('unhealthy')} after {after:.1f} s")
    show(m1, "cluster", status=1, has=["UNHEALTHY", f"{m2.address}.*{EXHIBITOR}", "2 of 3 healthy"])
    show(m1, "unit", EXHIBITOR, status=1, has=[rf"unhealthy +master +{m2.address}"])
    heal(c, m2, f"It is started again on {m2.name}")


def agent_fails(c):
    m1, a1 = c.masters[0], c.agents[0]
    title(f"The same on an agent: {NET} on {a1.name}")
    say("Agents are counted. They never decide. ", end="")
    a1.fail(NET)
    after = wait_for(m1, CLUSTER, lambda said: said["nodes"]["agent"]["unhealthy"] == 1, "the agent is counted")
    say(f"Counted after {after:.1f} s; the cluster is ", end="")
    said = ask(m1, CLUSTER)
    say(health(said["health"]))
    if not is_healthy(said):
        raise Wrong(f"an agent has decided: {said}")
    show(m1, "nodes", "--role", "agent", status=1, has=[rf"unhealthy +agent +{a1.address}"])
    heal(c, a1, f"It is started again on {a1.name}")


def cable_is_pulled(c):
    m1, _, m3 = c.masters
    title(f"The network cable of {m3.name} is pulled")
    say("Nobody hangs up, so only silence tells. ", end="")
    m3.cut()
    after = wait_for(m1, CLUSTER, has_reason("master-unreachable", m3.address), "it is unreachable")
    say(f"{m1.name} says {health('unhealthy')} after {after:.1f} s")
    show(m1, "cluster", status=1, has=["UNHEALTHY", f"{m3.address}\n.*does not answer", "2 of 3 healthy"])
    say(f"\nAnd {m3.name}, alone, says the same of the others: ", end="")
    wait_for(m3, CLUSTER, lambda said: all(has_reason("master-unreachable", m.address)(said) for m in c.masters[:2]),
             f"to {m3.name} the others are unreachable")
    say(ask(m3, CLUSTER)["summary"])
    heal(c, m3, "The cable is plugged in")


def node_freezes(c):
    m1, m2, _ = c.masters
    title(f"{m2.name} freezes: every process of it, systemd first")
    say("Its kernel still takes connections. A master must answer within seconds all the same. ", end="")
    m2.pause()
    after = wait_for(m1, CLUSTER, has_reason("master-unreachable", m2.address), "it is unreachable")
    say(f"{m1.name} says {health('unhealthy')} after {after:.1f} s")
    show(m1, "nodes", status=3, has=[rf"unknown +master +{m2.address}"])
    heal(c, m2, "It goes on")


def show_bundle(node, file):
    """What stands in it, the many files of each node as one line."""
    tar = node.exec("tar", "--zstd", "-tvf", file).stdout.splitlines()
    parts = {}
    for _, _, size, _, _, name in (line.split(maxsplit=5) for line in tar):
        part, below, _ = name.partition("/")
        parts.setdefault(part + below, []).append(int(size))
    for part, sizes in sorted(parts.items(), key=lambda item: ("/" not in item[0], item[0])):
        files = f", {len(sizes)} files" if part.endswith("/") else ""
        say(f"    {part:26}{sum(sizes) / 1024:7.1f} KiB{files}")
    return parts


def bundle_is_made(c):
    m1 = c.masters[0]
    title("Somebody writes a ticket: what support needs of every node, in one file, without its secrets")
    show(m1, "bundle", "create", "--nodes", "all", "-o", "/tmp/ticket.tar.zst", status=0,
         has=["5 nodes; ", r"masked\n", r"in /tmp/ticket\.tar\.zst"])
    say(f"\n{m1.name}$ tar -tvf /tmp/ticket.tar.zst, in short")
    parts = show_bundle(m1, "/tmp/ticket.tar.zst")
    wanted = {f"{n.address}_{n.role}/" for n in c.nodes} | {"README.txt", "manifest.json", "health.json"}
    if missing := wanted - set(parts):
        raise Wrong(f"the bundle lacks {missing}")


# --- all of it ---

def settings(member):
    """A name for people; and who looks at the cluster is a component of its node, too."""
    if member.role != "master":
        return {}
    return {"diag/aggregatord.conf.d/demo.conf": "[Cluster]\nName=demo\n",
            "diag/agentd.conf.d/demo.conf": "[Agent]\nUnit=diag-aggregatord.service\n"}


@contextlib.contextmanager
def served(c, port):
    program = next(p for p in PROXY if Path(p).exists())
    master = c.masters[0]
    forwarder = subprocess.Popen(["systemd-socket-activate", "-l", f"127.0.0.1:{port}", program,
                                  f"{master.root}{master.unix}"], start_new_session=True,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        forwarder.terminate()
        forwarder.wait()


def stay(c, port):
    with served(c, port) as url:
        title("Ask it yourself, or break it yourself (Ctrl-C ends it)")
        say(f"    export DIAG_URL={url} DIAG_TESTBED={c.dir}\n"
            "    build/cli/diag cluster --watch\n"
            "    build/cli/diag node 10.77.0.12\n"
            "    build/cli/diag maintenance start 10.77.0.12 --for 1h --reason 'new disks'\n"
            "    tests/e2e/testnode exec m1 diag bundle list\n"
            f"    curl {url}/system/health/v1/nodes\n"
            "    tests/e2e/testnode exec m2 systemctl stop zookeeper    # m1 m2 m3 a1 p1; start\n"
            "    tests/e2e/testnode pause a1                            # resume, cut, heal, off, on")
        leave_when_told(interrupted=0)
        while True:
            signal.pause()


def demonstrate(port):
    began = time.monotonic()
    title("Booting three masters and two agents, one of them public, in namespaces")
    say("Each has its own systemd, address, and certificate by diag cert; the masters are a ZooKeeper ensemble.")
    with contextlib.ExitStack() as stack:
        c = stack.enter_context(Cluster(tls=True, settle=False, files=settings))
        stack.callback(ignore_signals)
        try:
            boots(c, began)
            for happens in (component_fails, agent_fails, cable_is_pulled, node_freezes, bundle_is_made):
                happens(c)
        except Wrong:
            say(f"\n{c.diagnostics()}")
            raise
        title(f"That took {time.monotonic() - began:.0f} s")
        if port:
            stay(c, port)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, help="stay, and serve the cluster on 127.0.0.1:PORT")
    leave_when_told()
    try:
        demonstrate(parser.parse_args().port)
    except Skip as why:
        sys.exit(f"run: this machine cannot do it: {why}")
    except (Wrong, AssertionError, subprocess.SubprocessError, OSError) as why:
        sys.exit(f"\nrun: {why}")


main()
