#!/usr/bin/env python3
"""The whole cluster: three masters that find each other by ZooKeeper, two agents, TLS between all of them. For each
fault, what is said before, during and after, on more than one master. The bounds are for slow machines; how long it
took is printed."""
import contextlib
import json
import os
import re
import shutil
import struct
import sys
import threading
import time
from pathlib import Path

# Another python3 may stand before Debian's in PATH; only that one surely has kazoo.
if sys.executable != "/usr/bin/python3":
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

import tap
import zookeeper as zk
from cluster import AGENTD, AGGREGATORD, AGGREGATORD_SOCKET, Cluster, installed, test, wait_until
from tap import Skip

V1, V2 = "/system/health/v1", "/system/health/v2"
MARATHON, MESOS_AGENT = "dcos-marathon.service", "dcos-mesos-slave.service"
SEEN, GONE, FROZEN_AGENT, BACK = 10, 30, 60, 60         # seconds
MEMORY = "var/lib/diag/aggregatord/nodes.json"
STRANGER = Path(__file__).resolve().with_name("stranger")
FAKES = Path(os.environ.get("DIAG_FAKES", Path(__file__).parents[2] / "build/tests"))
DAY, HOUR = 86400, 3600


class Late(Cluster):
    """Its last master boots only after the others have been seen to wait for it."""

    def boot(self, *nodes):
        if self.masters[2] not in nodes:
            super().boot(*nodes)
            return
        self.verdicts = []
        super().boot(*(n for n in nodes if n is not self.masters[2]))
        wait_until(lambda: self._note(lacks="count-short"), BACK, "only the third master is missing")
        super().boot(self.masters[2])
        wait_until(lambda: self._note()["health"] == "healthy", BACK, "all is well")

    def _note(self, lacks=None):
        verdict = cluster(self.masters[0])
        self.verdicts.append(verdict)
        assert not lacks or {r["code"] for r in verdict["reasons"]} == {lacks}, verdict["reasons"]
        return verdict


@contextlib.contextmanager
def booted():
    if not installed(AGGREGATORD):
        raise Skip("DIAG_INSTALL names no installed tree")
    with Late(tls=True) as c:
        yield c


# --- asking ---

def cluster(master, more=""):
    return master.get(f"{V2}/cluster{more}").json()


def health(master):
    return cluster(master)["health"]


class Found(dict):
    """What is not there yet can be waited for."""

    def __missing__(self, key):
        raise AssertionError(f"{key} is not among {list(self)}")


def rows(master):
    return Found((n["address"], n) for n in master.get(f"{V2}/nodes?sort=address").json()["items"])


def row(master, node):
    return rows(master)[node.address]


def reasons(master, node=None):
    """{(code, component): reason}, of one node or of the cluster as such"""
    return Found(((r["code"], r.get("component")), r) for r in cluster(master)["reasons"]
                 if r.get("address") == (node and node.address))


def source(master, name="zookeeper"):
    return next((s for s in cluster(master)["sources"] if s["name"] == name), {"state": "not asked yet", "nodes": 0})


def v1_health(master, path):
    return master.get(V1 + path).json()["health"]


def ready(master, more=""):
    return master.get(f"{V2}/cluster/ready{more}").status


def soon(question, seconds, what):
    """As wait_until, and says how long that took."""
    begun = time.monotonic()
    answer = wait_until(question, seconds, what)
    print(f"# {what}: {time.monotonic() - begun:.2f} s")
    return answer


def ask_all_anew(*masters):
    for master in masters:
        master.get(f"{V1}/nodes?cache", timeout=45)


class Recording(threading.Thread):
    """What some masters say all the while."""

    def __init__(self, *masters):
        super().__init__()
        self._masters, self._end = masters, threading.Event()
        self.verdicts, self.reaches = set(), {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def run(self):
        while not self._end.wait(0.05):
            for master in self._masters:
                verdict = cluster(master)
                self.verdicts.add((verdict["health"], *(r["code"] for r in verdict["reasons"])))
                for address, node in rows(master).items():
                    self.reaches.setdefault(address, set()).add(node["reach"])


# --- the rule ---

@tap.test
def waits_for_every_master(c):
    "is unhealthy until every master is there and healthy, and says what is missing first"
    m1, _, m3 = c.masters
    turned = [v["health"] for v in c.verdicts]
    assert turned == sorted(turned, reverse=True), turned       # it turned healthy once, and stayed so
    before = [v for v in c.verdicts if v["health"] == "unhealthy"]
    assert all(v["reasons"] and v["summary"] for v in before)
    codes = [r["code"] for v in before for r in v["reasons"]]
    assert "count-short" in codes and "master-unhealthy" in codes, codes
    assert any(v["summary"] == "2 of 3 masters are known" for v in before)
    late = [r for v in before for r in v["reasons"] if r.get("address") == m3.address]
    assert any(r.get("component") and r["text"] for r in late), late
    c.settle()
    for master in c.masters:
        said = cluster(master)
        assert said["summary"] == "all 3 masters are healthy" and not said["reasons"] and ready(master) == 200
        assert said["view"]["observer"] == master.address and said["view"]["complete"]
        assert {**said["masters"], "expected_from": 0} == {
            "expected": 3, "expected_from": 0, "known": 3, "answering": 3, "healthy": 3, "quorum": "ok"}
        assert {v["observer"] for v in said["views"]} == {m.address for m in c.masters} - {master.address}
        assert said["cluster"] == cluster(m1)["cluster"] and said["cluster"]["name"] == "test"
        nodes = rows(master)
        assert {(n.address, n.role, n.port) for n in c.nodes} == \
            {(a, n["role"], n["port"]) for a, n in nodes.items()}
        assert all(n["reach"] == "ok" and n["protocol"] == "v2" for n in nodes.values())
        assert all("zookeeper" in nodes[m.address]["sources"] for m in c.masters)


@test
def sees_units_fail_on_masters(c):
    "turns unhealthy when a unit of a master fails, names it, and wakes who waits"
    m1, m2, m3 = c.masters
    tag = m3.get(f"{V2}/cluster").headers["ETag"]
    woken = []
    waiting = threading.Thread(target=lambda: woken.append(m3.get(
        f"{V2}/cluster", {"If-None-Match": tag, "Prefer": "wait=20"}, timeout=25)))
    waiting.start()
    m2.fail(MARATHON)
    for master in (m1, m3):
        soon(lambda: health(master) == "unhealthy", SEEN, f"{master.name} sees the unit of m2 fail")
    waiting.join()
    assert woken[0].status == 200 and woken[0].json()["health"] == "unhealthy", woken
    for master in (m1, m2, m3):
        why = wait_until(lambda: reasons(master, m2)["master-unhealthy", MARATHON], SEEN, "m2 is the reason")
        assert "78" in why["text"] and not why["acknowledged"], why
        said = cluster(master)
        assert MARATHON in said["summary"] and m2.address in said["summary"], said["summary"]
        assert (said["masters"]["healthy"], said["masters"]["quorum"]) == (2, "at-risk")
        assert (ready(master), ready(master, "?require=quorum")) == (503, 200)
        assert row(master, m2)["bad"] == [MARATHON] and row(master, m2)["code"] == "exit-code"
        assert v1_health(master, f"/nodes/{m2.address}") == 1 and v1_health(master, f"/units/{MARATHON}") == 1
        assert v1_health(master, f"/nodes/{m1.address}") == 0 and v1_health(master, "/units/dcos-net.service") == 0
        unit = master.get(f"{V2}/units/{MARATHON}").json()
        assert [n["address"] for n in unit["nodes"]["items"] if n["health"] != "healthy"] == [m2.address]
    m2.start_unit(MARATHON)
    soon(lambda: ask_all_anew(m3) or health(m3) == "healthy", SEEN, "m3 sees it run again")


@test
def counts_agents(c):
    "stays healthy when a unit of an agent fails, which is counted"
    a1 = c.agents[0]
    with Recording(*c.masters) as seen:
        a1.fail(MESOS_AGENT)
        for master in c.masters:
            soon(lambda: row(master, a1)["bad"] == [MESOS_AGENT], SEEN, f"{master.name} sees the unit of a1 fail")
            assert cluster(master)["nodes"]["agent"] == {"healthy": 0, "unhealthy": 1, "unknown": 0, "maintenance": 0}
            assert v1_health(master, f"/nodes/{a1.address}") == 1
        wait_until(lambda: "state is not one of the possible states" in c.masters[1].get(
            f"{V1}/nodes/{a1.address}/units/{MESOS_AGENT}").json()["output"], SEEN, "the node has said why")
        a1.start_unit(MESOS_AGENT)
    assert seen.verdicts == {("healthy",)}, seen.verdicts


@test
def shows_maintenance(c):
    "acknowledges what is wrong on a master in maintenance, and calls nothing healthy for that"
    m1, m2, m3 = c.masters
    where = f"{V2}/nodes/{m2.address}/maintenance"
    m2.fail(MARATHON)
    wait_until(lambda: reasons(m1, m2), SEEN, "it is seen")
    assert not cluster(m1)["acknowledged"]
    begun = m1.request("PUT", where, {"Content-Type": "application/json"}, '{"for_seconds": 600, "reason": "disk"}')
    assert begun.status == 200, begun
    for master in (m1, m3):
        said = wait_until(lambda: (s := cluster(master))["acknowledged"] and s, SEEN, "it is acknowledged")
        assert said["health"] == "unhealthy" and ready(master) == 503
        assert all(r["acknowledged"] for r in said["reasons"]) and said["nodes"]["master"]["maintenance"] == 1
        assert row(master, m2)["maintenance"]["reason"] == "disk"
    # The node holds its own flag: to restart its daemon does not lose it.
    m2.systemctl("restart", AGENTD)
    wait_until(lambda: cluster(m3)["acknowledged"], SEEN, "it is still acknowledged")
    assert m3.request("DELETE", where).status == 200
    for master in (m1, m3):
        wait_until(lambda: not cluster(master)["acknowledged"], SEEN, "it is not acknowledged any more")
        assert row(master, m2)["maintenance"] is None and health(master) == "unhealthy"
    refused = m1.request("PUT", f"{V2}/nodes/10.77.0.99/maintenance", {"Content-Type": "application/json"},
                         '{"for_seconds": 600, "reason": "?"}')
    assert (refused.status, refused.json()["reason"]) == (404, "no-such-node"), refused


# --- daemons ---

def restart_is_over(node, service, pid):
    return int(node.systemctl("show", "-P", "MainPID", service)) not in (0, pid)


def kill(node, service):
    pid = int(node.systemctl("show", "-P", "MainPID", service))
    node.kill_unit(service)
    return lambda: restart_is_over(node, service, pid)


def stop_agentd(node):
    """With its socket, or else the next question starts it again."""
    units = ("diag-agentd-master.socket" if node.role == "master" else "diag-agentd.socket", AGENTD)
    node.faults[AGENTD] = lambda: node.systemctl("start", *units)
    node.systemctl("stop", *units)


@test
def survives_restarts_of_agentd(c):
    "makes nothing of an agentd that is killed and comes back, but misses one that was stopped"
    m1, m2, m3 = c.masters
    a1 = c.agents[0]
    with Recording(m1, m3) as seen:
        restarted = [kill(m2, AGENTD), kill(a1, AGENTD)]
        wait_until(lambda: all(r() for r in restarted), SEEN, "systemd has started others")
        ask_all_anew(*c.masters)
        for node in (m2, a1):
            wait_until(lambda: row(m1, node)["reach"] == row(m3, node)["reach"] == "ok", SEEN, "they answer")
    assert seen.verdicts == {("healthy",)}, seen.verdicts
    assert all(reaches <= {"ok", "late"} for reaches in seen.reaches.values()), seen.reaches
    stop_agentd(m2)
    stop_agentd(a1)
    for master in (m1, m3):
        soon(lambda: ("master-unreachable", None) in reasons(master, m2), GONE, f"{master.name} misses agentd of m2")
        assert "refused" in row(master, m2)["text"], row(master, m2)
        assert health(master) == "unhealthy" and row(master, m2)["health"] == "unknown"
        soon(lambda: row(master, a1)["reach"] == "unreachable", GONE, f"{master.name} misses agentd of a1")
        assert v1_health(master, f"/nodes/{a1.address}") == 3
        assert not master.get(f"{V1}/nodes/{a1.address}/units").json()["units"]
        assert master.get(f"{V1}/units/{MESOS_AGENT}").status == 404      # nobody else has it
    said = m2.get(V1)
    assert said.status == 503 or said.status == 502, said         # never an old report
    where = f"{V2}/nodes/{a1.address}/maintenance"
    begun = m1.request("PUT", where, {"Content-Type": "application/json"}, '{"for_seconds": 600, "reason": "fan"}')
    assert begun.status == 200 and begun.json()["held_by"] == "aggregator", begun
    for node in (m2, a1):
        node.mend()
    c.settle()
    for master in (m1, m3):
        assert row(master, a1)["maintenance"]["reason"] == "fan", row(master, a1)
    over = m3.request("DELETE", where)
    assert over.status == 200, over
    for master in (m1, m3):
        wait_until(lambda: row(master, a1)["maintenance"] is None, SEEN, f"{master.name} knows that nobody is at it")


@test
def remembers_across_restarts(c):
    "holds requests while an aggregator restarts, which then knows all nodes again"
    m1 = c.masters[0]
    before = rows(m1).keys()
    instance = cluster(m1)["view"]["instance"]
    restarted = kill(m1, AGGREGATORD)
    said = cluster(m1)
    assert restarted() and said["view"]["instance"] != instance
    assert said["health"] == "unhealthy" or rows(m1).keys() == before, said
    soon(lambda: health(m1) == "healthy" and rows(m1).keys() == before, SEEN, "m1 is healthy again")
    others = {v["observer"]: v["agrees"] for v in cluster(c.masters[1])["views"]}
    assert m1.address in others


# --- machines and cables ---

@test
def misses_machines(c):
    "misses a machine that is frozen, and those whose cable is cut, one way or both; as they miss it"
    m1, m2, m3 = c.masters
    a1, p1 = c.agents[0], c.public[0]
    m2.pause()
    m3.cut()
    a1.cut("in")
    p1.cut("out")
    begun = time.monotonic()
    soon(lambda: row(m1, m2)["reach"] == "unreachable", GONE, "m1 misses m2, which is frozen")
    ask_all_anew(m1)
    print(f"# with four nodes gone, a round ended after {time.monotonic() - begun:.1f} s")
    for node, how in ((m3, "cut off"), (a1, "deaf"), (p1, "dumb")):
        soon(lambda: row(m1, node)["reach"] == "unreachable", GONE, f"m1 misses {node.name}, which is {how}")
    said = cluster(m1)
    assert (said["health"], said["masters"]["quorum"], said["masters"]["answering"]) == ("unhealthy", "lost", 1)
    assert {("master-unreachable", m2.address), ("master-unreachable", m3.address)} == \
        {(r["code"], r.get("address")) for r in said["reasons"]}, said["reasons"]
    assert all("it does not answer: " in r["text"] for r in said["reasons"]), said["reasons"]
    assert [said["nodes"][role]["unknown"] for role in ("master", "agent", "agent_public")] == [2, 1, 1]
    assert ready(m1, "?require=quorum") == 503
    for node in (m2, m3, a1, p1):
        assert v1_health(m1, f"/nodes/{node.address}") == 3
    # Who is cut off misses all others, and is well for itself.
    for node in (m1, m2, a1, p1):
        soon(lambda: row(m3, node)["reach"] == "unreachable", GONE, f"m3, cut off, misses {node.name}")
    assert row(m3, m3)["health"] == "healthy" and health(m3) == "unhealthy"
    for node in (m2, m3, a1, p1):
        node.mend()
    c.settle()


@test
def goes_on_without_zookeeper(c):
    "loses a member of ZooKeeper, then its quorum, then all that it knew, which changes no health; nor does an agent"
    m1, m2, m3 = c.masters
    a1 = c.agents[0]
    ids = sorted(row(m1, m)["node_id"] for m in c.masters)
    with Recording(m1, m2, m3) as seen:
        a1.pause()
        first, second = c.zookeeper.followers
        first.freeze(zk.UNIT)
        wait_until(lambda: c.zookeeper.figures(c.zookeeper.leader)["zk_synced_followers"] == "1", GONE, "it is lost")
        assert all(source(m)["nodes"] == 3 for m in c.masters)
        second.freeze(zk.UNIT)
        for master in c.masters:
            soon(lambda: source(master)["state"] == "connecting", FROZEN_AGENT, f"{master.name} has lost ZooKeeper")
            assert source(master)["nodes"] == 3 and source(master)["error"], source(master)
        age = source(m2)["age_seconds"]
        wait_until(lambda: source(m2)["age_seconds"] > age, SEEN, "the age of what it said grows")
        for master in (m2, m3):
            gone = soon(lambda: (n := row(master, a1))["reach"] == "unreachable" and n, FROZEN_AGENT,
                        f"{master.name} misses a1, which is frozen")
            assert gone["health"] == "unknown" and "it does not answer: " in gone["text"], gone
            assert cluster(master)["nodes"]["agent"]["unknown"] == 1
    assert seen.verdicts == {("healthy",)}, seen.verdicts
    m1.fail(MARATHON)
    for master in (m2, m3):
        soon(lambda: ("master-unhealthy", MARATHON) in reasons(master, m1), SEEN, f"{master.name} sees a unit fail")
    listed = m1.request("DELETE", f"{V2}/nodes/{a1.address}")
    assert (listed.status, listed.json()["reason"]) == (409, "static"), listed
    a1.resume()
    survives_a_wipe(c, ids)


def survives_a_wipe(c, ids):
    """Who is a master is remembered, and written down again."""
    for member in c.zookeeper.members:
        member.mend()
        member.stop_unit(zk.UNIT)
    for member in c.zookeeper.members:
        shutil.rmtree(member.root / "var/lib/zookeeper/version-2")
    assert all(source(m)["nodes"] == 3 and len(rows(m)) == len(c.nodes) for m in c.masters)
    for member in c.zookeeper.members:
        member.start_unit(zk.UNIT)
    for master in c.masters:
        soon(lambda: (s := source(master))["state"] == "reset" and s["nodes"] == 3, BACK,
             f"{master.name} has seen the wipe, and is registered")
    with c.zookeeper.client(c.masters[0]) as client:
        assert sorted(client.get_children("/diag/masters")) == ids
        assert all(client.exists(f"/diag/masters/{i}").ephemeralOwner == 0 for i in ids)


# --- the life of a master ---

@test
def follows_the_life_of_masters(c):
    "follows a master that reboots, is missed, forgotten, replaced, comes back; and the other one that goes for it"
    m1, m2, m3 = c.masters
    lives = c.masters[:2]
    where = f"{V2}/nodes/{m3.address}"
    alive = m1.request("DELETE", where)
    assert (alive.status, alive.json()["reason"]) == (409, "alive"), alive
    ask_all_anew(*lives)        # who has just been asked is not forgotten to be listened to
    m3.poweroff()
    for master in lives:
        soon(lambda: ("master-rebooting", None) in reasons(master, m3), GONE, f"{master.name} knows that m3 reboots")
        assert row(master, m3)["reach"] == "rebooting" and health(master) == "unhealthy"
    dead_in_maintenance(m1, m2, m3)
    missed_after_restart(m1, m3)
    forgotten(c, m1, m2, m3)
    m4 = c.add("master", 4)
    for master in (*lives, m4):
        soon(lambda: health(master) == "healthy" and row(master, m4)["health"] == "healthy", BACK,
             f"{master.name} has m4 in its place")
        assert m3.address not in rows(master)
    m3.on()
    for master in (*lives, m3, m4):
        soon(lambda: (s := cluster(master))["health"] == "healthy" and s["masters"]["healthy"] == 4, BACK,
             f"{master.name} has m3 back")
    c.remove(m4)
    for master in c.masters:
        soon(lambda: row(master, m4)["reach"] == "superseded", GONE, f"{master.name} knows that m4 is replaced")
        said = cluster(master)
        assert (said["health"], said["masters"]["known"]) == ("healthy", 3), said
        assert master.get(f"{V1}/nodes/{m4.address}").status == 404
    gone = m2.request("DELETE", f"{V2}/nodes/{m4.address}")
    assert gone.status == 200, gone
    for master in c.masters:
        wait_until(lambda: m4.address not in rows(master), SEEN, "m4 is forgotten")


def dead_in_maintenance(m1, m2, m3):
    """It cannot hold a flag of its own: the masters do, by way of ZooKeeper."""
    for master in (m1, m2):         # which was led by m3, perhaps
        wait_until(lambda: source(master)["state"] in ("ok", "reset"), BACK, "ZooKeeper has a leader")
    where = f"{V2}/nodes/{m3.address}/maintenance"
    begun = m1.request("PUT", where, {"Content-Type": "application/json"}, '{"for_seconds": 600, "reason": "fan"}')
    assert begun.status == 200, begun
    for master in (m1, m2):
        wait_until(lambda: cluster(master)["acknowledged"] and health(master) == "unhealthy", SEEN,
                   f"{master.name} knows that somebody is at it")
    over = m1.request("DELETE", where)
    assert over.status == 200, over
    for master in (m1, m2):
        wait_until(lambda: not cluster(master)["acknowledged"], SEEN, f"{master.name} knows that nobody is at it")
        assert row(master, m3)["maintenance"] is None, row(master, m3)


def missed_after_restart(m1, m3):
    """By a daemon that has nothing but its memory: ZooKeeper is gone, too."""
    wait_until(lambda: m3.address in (m1.root / MEMORY).read_text(), BACK, "m1 has written down what it knows")
    m1.freeze(zk.UNIT)
    kill(m1, AGGREGATORD)
    said = wait_until(lambda: reasons(m1, m3), SEEN, "m3 is missed")
    assert ("master-missing", None) in said or ("starting", None) in reasons(m1), said
    soon(lambda: ("master-missing", None) in reasons(m1, m3), GONE, "m1, restarted, misses m3")
    assert row(m1, m3)["sources"] == ["memory"] and row(m1, m3)["reach"] == "never", row(m1, m3)
    m1.thaw(zk.UNIT)
    wait_until(lambda: source(m1)["state"] in ("ok", "reset"), BACK, "ZooKeeper is back")
    assert ("master-missing", None) in reasons(m1, m3)


def forgotten(c, m1, m2, m3):
    name = row(m1, m3)["node_id"]
    gone = m1.request("DELETE", f"{V2}/nodes/{m3.address}")
    assert (gone.status, gone.json()["node_id"]) == (200, name), gone
    for master in (m1, m2):
        soon(lambda: m3.address not in rows(master), SEEN, f"{master.name} has forgotten m3")
        assert list(reasons(master)) == [("count-short", None)], cluster(master)["reasons"]
        assert cluster(master)["summary"] == "2 of 3 masters are known"
    with c.zookeeper.client(m1) as client:
        assert client.exists(f"/diag/forgotten/{name}") and not client.exists(f"/diag/masters/{name}")
    kill(m2, AGGREGATORD)
    wait_until(lambda: source(m2)["state"] in ("ok", "reset"), BACK, "m2 has read ZooKeeper again")
    assert m3.address not in rows(m2) and ("count-short", None) in reasons(m2)


# --- strangers ---

# How they answer; what is said of them: reach, code, words.
STRANGERS = {
    "10.77.2.1": ("stall", "never", "never-answered", "in time"),
    "10.77.2.2": ("mute", "never", "never-answered", "in time"),
    "10.77.2.3": ("plain", "never", "bad-answer", "TLS"),
    "10.77.2.4": ("garbage", "never", "bad-answer", "not HTTP"),
    "10.77.2.5": ("failing", "never", "bad-answer", "500"),
    "10.77.2.6": ("elsewhere", "never", "bad-answer", "redirect"),
    "10.77.2.7": ("endless", "never", "bad-answer", "too long"),
    "10.77.2.8": ("half", "never", "never-answered", "hung up|broke off"),
    "10.77.2.9": ("closing", "never", "never-answered", "hung up|broke off"),
    "10.77.2.10": ("nothing", "never", "bad-answer", "no report"),
    "10.77.2.11": ("not_json", "never", "bad-answer", "no report"),
    "10.77.2.12": ("v1 empty", "never", "bad-answer", "no report"),
    "10.77.2.13": ("v1 null", "never", "bad-answer", "no report"),
    "10.77.2.14": ("v1 not-json", "never", "bad-answer", "no report"),
}
DOUBLE, TWIN = "10.77.0.100", "10.77.0.101"     # before any master in the order of addresses
FLOOD, GO, MOODY = "10.77.2.21", "10.77.2.22", "10.77.2.23"
# What dcos-diagnostics says of itself, as it came over the wire.
GO_REPORT = {
    "units": [
        {"id": "dcos-adminrouter.service", "health": 0, "output": "", "help": "", "name": "Admin Router Master",
         "description": "exposes a unified control plane proxy for components and services using NGINX"},
        {"id": "dcos-mesos-master.service", "health": 0, "output": "", "help": "", "name": "Mesos Master",
         "description": "distributed systems kernel"}],
    "hostname": "go", "ip": GO, "dcos_version": "2.1.0", "node_role": "master",
    "mesos_id": "c6b8ac5f-3a6f-4d1c-8d34-cf2e14a1d57e", "dcos_diagnostics_version": "0.4.0"}


@contextlib.contextmanager
def strangers(c, manners):
    """{address: manner}, each known to the first master alone, as an agent; "master ..." as a master."""
    m1, folder = c.masters[0], c.top / f"strangers-{next(iter(manners))}"
    report = c.agents[0].get(f"{V2}/node?fields=health", unix="/run/diag/agentd.sock").json()
    c.authority.issue(folder, "stranger", "agent", *manners)
    files = {"flood": {**report, "node_id": "f" * 32, "address": FLOOD},
             "moody": {**report, "node_id": "e" * 32, "address": MOODY, "role": "master"},
             "double": m1.get(f"{V2}/node?fields=health").json(),
             "twin": {**m1.get(f"{V2}/node?fields=health").json(), "boot_id": "b" * 32},
             "go": GO_REPORT, "empty": {}, "null": {**GO_REPORT, "units": None}, "not-json": 3}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content) + "\n")
    x = c.stranger(next(iter(manners)))
    for address in list(manners)[1:]:
        x.exec("ip", "addr", "add", f"{address}/16", "dev", "host0")
    x.start(STRANGER, str(folder), *(f"{a}={m.removeprefix('master ')}" for a, m in manners.items()))
    lines = "".join(f"Node={'master' if m.startswith('master ') else 'agent'}={a}\n" for a, m in manners.items())
    try:
        yield x, folder, lambda: configure(m1, "strangers", f"[Cluster]\n{lines}")
    finally:
        configure(m1, "strangers", None)


def configure(master, name, text):
    path = master.root / f"etc/diag/aggregatord.conf.d/{name}.conf"
    if text:
        master.write({f"diag/aggregatord.conf.d/{name}.conf": text})
    else:
        path.unlink(missing_ok=True)
    master.systemctl("reload", AGGREGATORD)


@test
def explains_strangers(c):
    "explains whoever lies, stalls, floods or sends rubbish as an agent, who delays nobody and decides nothing"
    m1, m2, m3 = c.masters
    p1 = c.public[0]
    manners = {a: s[0] for a, s in STRANGERS.items()} | {TWIN: "v2 twin", DOUBLE: "v2 double", FLOOD: "flood"}
    with strangers(c, manners) as (_, folder, tell), Recording(m1, m2, m3) as seen:
        tell()
        wait_until(lambda: STRANGERS.keys() <= rows(m1).keys(), SEEN, "all strangers are known")
        p1.fail("dcos-net.service")
        soon(lambda: row(m1, p1)["bad"] == ["dcos-net.service"], SEEN, "a unit is seen to fail among strangers")
        for address, (manner, reach, code, words) in STRANGERS.items():
            said = wait_until(lambda: (n := rows(m1)[address])["code"] != "never-answered" and n or
                              ": " in n["text"] and n, GONE, f"{manner} is explained")
            print(f"# {manner}: {said['reach']} {said['code']}: {said['text']}")
            assert re.fullmatch(reach, said["reach"]) and re.fullmatch(code, said["code"]), (manner, said)
            assert re.search(words, said["text"]) and said["health"] in ("unknown", "unhealthy"), (manner, said)
            assert v1_health(m1, f"/nodes/{address}") in (1, 3)
        for address in (TWIN, DOUBLE):
            false = soon(lambda: (n := rows(m1)[address])["reach"] == "conflict" and n, GONE, "it is found out")
            assert "same identity" in false["text"], false
        assert row(m1, m1)["reach"] == "ok" and row(m1, m1)["addresses"] == [m1.address], row(m1, m1)
        assert rows(m1)[FLOOD]["reach"] == "ok"
        assert FLOOD not in rows(m2)
        asked = [float(line.split()[0]) for line in (folder / f"{FLOOD}.asked").read_text().splitlines()]
        assert len(asked) < 60 + 2 * (asked[-1] - asked[0]), (len(asked), asked[-1] - asked[0])
    assert seen.verdicts == {("healthy",)}, seen.verdicts
    soon(lambda: not manners.keys() & rows(m1).keys(), SEEN, "what is not listed any more is gone")


@test
def polls_older_nodes(c):
    "polls a node of dcos-diagnostics each interval, and judges it; who differs is seen by the others"
    m1, m2, _ = c.masters
    with strangers(c, {GO: "master v1 go", MOODY: "master moody"}) as (_, folder, tell), Recording(m1) as seen:
        tell()
        said = wait_until(lambda: (n := rows(m1)[GO])["reach"] == "ok" and n, SEEN, "it answers")
        assert (said["protocol"], said["health"], said["node_id"]) == ("v1", "healthy", f"addr:{GO}"), said
        assert health(m1) == "healthy" and cluster(m1)["masters"]["known"] == 5
        assert v1_health(m1, f"/nodes/{GO}") == 0
        unit = m1.get(f"{V1}/nodes/{GO}/units/dcos-mesos-master.service").json()
        assert GO_REPORT["mesos_id"] in unit["help"] and unit["name"] == "Mesos Master", unit
        bad = json.loads(json.dumps(GO_REPORT))
        bad["units"][1] |= {"health": 1, "output": "dcos-mesos-master.service state is not one of the possible states "
                            "[active inactive activating]. Current state is [ failed ]. "}
        (folder / "go").write_text(json.dumps(bad) + "\n")
        soon(lambda: ("master-unhealthy", "dcos-mesos-master.service") in
             {(r["code"], r.get("component")) for r in cluster(m1)["reasons"]}, GONE, "its failed unit is seen")
        assert v1_health(m1, f"/nodes/{GO}") == 1
        view = wait_until(lambda: next((v for v in cluster(m2)["views"] if v["observer"] == m1.address
                                        and not v["agrees"]), None), SEEN, "m2 knows that m1 sees it otherwise")
        assert view["health"] == "unhealthy" and view["fresh"] and health(m2) == "healthy", view
        wait_until(lambda: not any(v["agrees"] for v in cluster(m1)["views"]), SEEN, "m1 knows that, too")
        (folder / "go").write_text(json.dumps(GO_REPORT) + "\n")
        ask_all_anew(m1)
        assert health(m1) == "healthy"
        asked = [line.split() for line in (folder / f"{GO}.asked").read_text().splitlines()]
        plain = [float(when) for when, path in asked if path == V1]
        assert len(plain) >= 3 and max(b - a for a, b in zip(plain, plain[1:])) < 3 * 5, asked
        assert sum(path != V1 for _, path in asked) <= 3, asked     # v2 is not asked for again and again
        wait_until(lambda: len((folder / f"{MOODY}.asked").read_text().splitlines()) > 2, GONE, "one is moody")
    assert seen.reaches[MOODY] <= {"never", "ok"}, seen.reaches


@test
def takes_announcements(c):
    "takes an agent that announces itself, once it has answered as announced; and nobody else"
    m1, m2, m3 = c.masters

    def announce(**changes):
        said = {"node_id": "d" * 32, "boot_id": "", "instance": "", "address": c.agents[0].address, "port": 1050,
                "role": "agent", "hostname": "d", "version": "0.1.0", "addresses": []} | changes
        told = c.outside.request("PUT", f"{V2}/announce", {"Content-Type": "application/json"}, json.dumps(said),
                                 port=1050, address=m2.address, tls=c.tls)
        return told.status, told.json()["reason"]
    assert announce() == (422, "not-confirmed")
    assert announce(address="10.77.0.99") == (422, "not-confirmed") and announce(role="master") == (403, "master")
    assert announce(address="nowhere") == (400, "bad-request") and len(rows(m2)) == len(c.nodes)
    a2 = c.add("agent", 2)
    a2.write({"diag/agentd.conf.d/masters.conf": f"[Agent]\nMasters={m2.address}\n"})
    a2.systemctl("restart", AGENTD)
    for master in (m2, m1, m3):     # who are told by a2, since m2 has named them
        soon(lambda: (n := row(master, a2))["reach"] == "ok" and n["health"] == "healthy", SEEN,
             f"{master.name} has found a2")
        assert row(master, a2)["sources"] == ["announce"] and cluster(master)["nodes"]["agent"]["healthy"] == 2
    m2.systemctl("restart", AGGREGATORD)
    soon(lambda: row(m2, a2)["reach"] == "ok", GONE, "m2, restarted, knows a2 from memory")
    alive = m1.request("DELETE", f"{V2}/nodes/{a2.address}")
    assert (alive.status, alive.json()["reason"]) == (409, "alive"), alive
    c.remove(a2)
    for master in c.masters:
        soon(lambda: row(master, a2)["reach"] == "unreachable", FROZEN_AGENT, f"{master.name} misses a2")
        assert health(master) == "healthy"
    gone = m1.request("DELETE", f"{V2}/nodes/{a2.address}")
    assert gone.status == 200 and not gone.json()["not_reached"], gone
    for master in c.masters:
        wait_until(lambda: a2.address not in rows(master), SEEN, f"{master.name} has forgotten a2")


@test
def joins_addresses(c):
    "knows a node that is found at two of its addresses as one"
    m1, a1 = c.masters[0], c.agents[0]
    a1.exec("ip", "addr", "add", f"{a1.other_address}/16", "dev", "host0")
    try:
        configure(m1, "two", f"[Cluster]\nNode=agent={a1.other_address}\n")
        said = wait_until(lambda: (n := row(m1, a1))["addresses"][1:] and n, SEEN, "it has two addresses")
        assert said["addresses"] == [a1.address, a1.other_address], said
        assert len(rows(m1)) == len(c.nodes)
        assert cluster(m1)["nodes"]["agent"]["healthy"] == 1
        assert m1.get(f"{V2}/nodes/{a1.other_address}").json()["node_id"] == said["node_id"]
    finally:
        configure(m1, "two", None)
        a1.exec("ip", "addr", "del", f"{a1.other_address}/16", "dev", "host0")
    wait_until(lambda: row(m1, a1)["addresses"] == [a1.address], SEEN, "it has one address")


# --- clocks ---

class Jumpy:
    """An aggregator beside the one of a master, whose clocks the test can move."""

    def __init__(self, c, program):
        self.node, self.root = c.masters[0], c.masters[0].root
        shutil.copy(program, self.root / "aggregatord_fake_clocks")
        self.clocks = self.root / "run/clocks"
        self.clocks.write_bytes(bytes(16))
        conf = "[Cluster]\n" + "".join(f"Node={n.role}={n.address}\n" for n in c.nodes)
        self.node.write({"diag/jumpy.conf": conf})
        (self.root / "run/jumpy").mkdir(exist_ok=True)
        self.daemon = self.node.start("env", "DIAG_CLOCKS=/run/clocks", "STATE_DIRECTORY=/run/jumpy",
                                      "/aggregatord_fake_clocks", "--config", "/etc/diag/jumpy.conf",
                                      "--listen", "unix:/run/jumpy.sock")

    def move(self, wall=0, boot=0):
        with open(self.clocks, "r+b", buffering=0) as f:
            f.write(struct.pack("=qq", wall * 1000000, boot * 1000000))

    def get(self, url, *arguments, **more):
        return self.node.get(url, *arguments, **{**more, "unix": "/run/jumpy.sock"})

    def is_well(self, roles=("master", "agent", "agent_public")):
        said, nodes = cluster(self), rows(self)
        assert said["health"] == "healthy" and len(nodes) == 5, said
        for node in (n for n in nodes.values() if n["role"] in roles):
            assert node["health"] == "healthy" and 0 <= node["age_seconds"] < 40, node
        return said["view"]["age_seconds"] < 5


@test
def keeps_its_head_when_clocks_jump(c):
    "confuses no age when its clock is set by a day, or its machine was suspended for an hour"
    program = FAKES / "aggregatord_fake_clocks"
    if not program.exists():
        raise Skip(f"{program} is not built")
    jumpy = Jumpy(c, program)
    wait_until(jumpy.is_well, BACK, "it knows all nodes")
    since = cluster(jumpy)["since"]
    for wall in (-DAY, 0):
        jumpy.move(wall=wall)
        for _ in range(20):
            assert jumpy.is_well()
        wait_until(lambda: abs(rows(jumpy)[c.masters[1].address]["clock_offset_ms"] + wall * 1000) < 5000, BACK,
                   f"it is seen that its clock differs from others' by {wall} s")
        wait_until(lambda: ("clock-skew" in rows(jumpy)[c.masters[1].address]["notes"]) == bool(wall), SEEN,
                   "and that is remarked upon")
        assert cluster(jumpy)["since"] == since
    jumpy.move(boot=HOUR)
    for node in rows(jumpy).values():   # what was said before the night is not called healthy by the way
        assert node["age_seconds"] < 40 or node["health"] != "healthy", node
    soon(lambda: jumpy.is_well(roles=("master",)), BACK, "the masters are well after a night")
    assert jumpy.daemon.stop() == 0
    c.masters[0].daemons.remove(jumpy.daemon)


# --- API v1, as its clients know it ---

@test
def speaks_v1(c):
    "is what clients of dcos-diagnostics expect: keys, roles, help, texts of errors, the date of the last round"
    master, node = c.masters[1], c.agents[0]

    def get(path):
        return master.get(V1 + path).json()
    nodes = get("/nodes")["nodes"]
    assert all(n.keys() == {"host_ip", "health", "role"} for n in nodes)
    assert {(n["host_ip"], n["role"], n["health"]) for n in nodes} == {(n.address, n.role, 0) for n in c.nodes}
    assert get(f"/nodes/{node.address}") == {"host_ip": node.address, "health": 0, "role": "agent"}
    own = {n.address: {u["id"]: u for u in c.outside.get(V1, **n.tcp).json()["units"]} for n in c.nodes}
    units = {u["id"]: u for u in get("/units")["units"]}
    assert units.keys() == {name for n in own.values() for name in n}
    assert all(u.keys() == {"id", "name", "health", "description"} for u in units.values())
    for n in c.nodes:
        listed = get(f"/nodes/{n.address}/units")["units"]
        assert {u["id"] for u in listed} == own[n.address].keys()
        assert all(u["name"] == own[n.address][u["id"]]["name"] and u["health"] == 0 for u in listed)
    where = get("/units/dcos-net.service/nodes")["nodes"]
    assert {n["host_ip"] for n in where} == {n.address for n in c.nodes}
    assert get(f"/units/{MESOS_AGENT}/nodes") == {"nodes": [{"host_ip": node.address, "health": 0, "role": "agent"}]}
    assert get(f"/units/{MESOS_AGENT}/nodes/{node.address}").keys() == {"host_ip", "health", "role", "output", "help"}
    one = get(f"/nodes/{node.address}/units/{MESOS_AGENT}")
    assert one.keys() == {"id", "health", "output", "description", "help", "name"} and one["output"] == "", one
    assert re.fullmatch("Node available at `dcos node ssh -mesos-id .*`. Try, `journalctl -xv` to diagnose further.",
                        one["help"]), one
    for path, text in (("/units/no.service", "no.service"), ("/units/no.service/nodes", "no.service"),
                       (f"/units/{MESOS_AGENT}/nodes/10.0.0.9", "10.0.0.9"), ("/nodes/10.0.0.9", "10.0.0.9"),
                       ("/nodes/10.0.0.9/units/x", "10.0.0.9"), (f"/nodes/{node.address}/units/x", "x")):
        said = master.get(V1 + path)
        assert (said.status, said.body) == (404, f"{text} not found\n".encode()), (path, said)
        assert said.headers["Content-Type"] == "text/plain; charset=utf-8" and said.headers["Last-Modified-3DT"]
    base = get("")
    assert len(base) == 7 and all(len(u) == 6 for u in base["units"]) and base["ip"] == master.address


@test
def reports_v1(c):
    "has the whole report, and a round for who asks with ?cache, be they many"
    master = c.masters[2]
    report = master.get(f"{V1}/report")
    download = master.get(f"{V1}/report/download")
    assert download.headers["Content-Disposition"] == "attachment; filename=health-report.json"
    said = report.json()
    assert said.keys() == {"Units", "Nodes", "UpdatedTime"} and download.json().keys() == said.keys()
    assert said["Nodes"].keys() == {n.address for n in c.nodes}
    for n in c.nodes:
        told = said["Nodes"][n.address]
        assert told.keys() == {"Leader", "Role", "IP", "Host", "Health", "Output", "Units", "MesosID"}, told.keys()
        assert told["Role"] == n.role and told["Output"].keys() == {u["UnitName"] for u in told["Units"]}
    units = {u["id"] for u in master.get(f"{V1}/units").json()["units"]}
    assert said["Units"].keys() == units
    rounds = []

    def force():
        rounds.append(master.get(f"{V1}/nodes?cache=0", timeout=30))
    before = master.get(f"{V1}/nodes").headers["Last-Modified-3DT"]
    forcing = [threading.Thread(target=force) for _ in range(8)]
    time.sleep(1.1)      # its date has whole seconds
    for thread in forcing:
        thread.start()
    for thread in forcing:
        thread.join()
    assert [r.status for r in rounds] == [200] * 8 and all(len(r.json()["nodes"]) == 5 for r in rounds)
    after = {r.headers["Last-Modified-3DT"] for r in rounds}
    assert before not in after, (before, after)
    assert all(time.strptime(when, "%a %b %d %H:%M:%S %Y") for when in after)


@tap.test
def leaves_no_complaint(c):
    "has made no daemon crash, or say what a sanitizer says"
    for node in c.nodes:
        said = node.exec("journalctl", "--no-pager", "-o", "cat", "-u", "diag-*").stdout
        bad = [line for line in said.splitlines() if re.search("Sanitizer|runtime error|dumped core|Assertion", line)]
        assert not bad, f"{node.name}: {bad}"


tap.main(booted)
