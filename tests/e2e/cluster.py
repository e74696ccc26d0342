"""A cluster for tests: real systemd nodes on one network, with a real ZooKeeper ensemble on the masters.

    with Cluster(masters=3, agents=1, public=1) as c:           # up, and all components of all nodes active
        c.masters[0].fail("dcos-marathon.service")
        c.masters[1].cut("in"); c.agents[0].pause(); c.zookeeper.leader.freeze(zk.UNIT)
        wait_until(lambda: c.masters[0].get("/system/health/v1").json()..., 10, "the master says so")
        c.outside.get("/system/health/v1", **c.agents[0].tcp)   # from beside all nodes
        c.stranger("10.77.0.66", "/usr/bin/python3", "liar.py") # no node of ours, with its own address
        c.reset()                                               # all is well again; nobody has booted anew

Faults of one node are in node.py. One booted cluster serves all tests of a file: mark them with the @test that is
here, and call tap.main(Cluster). What DIAG_INSTALL holds of diag itself is configured and started.
"""
import functools
import os
from pathlib import Path

import certificates
import dcos
import tap
import zookeeper as zk
from node import AGENTD_SOCKET, Node, Testbed, eventually

INSTALL = Path(os.environ.get("DIAG_INSTALL", "/"))
UNITS = "/usr/lib/systemd/system/"
AGENTD, AGGREGATORD = "diag-agentd.service", "diag-aggregatord.service"
AGGREGATORD_PORT = 1050
AGGREGATORD_SOCKET = "/run/diag/aggregatord.sock"
HEALTH = "/system/health/v2/node?fields=health"
NETWORK = "10.77.0.0/16"
# LeakSanitizer traces its own process; in the sandbox it would spin for ever.
_SANITIZER = "[Service]\nSystemCallFilter=@debug\nMemoryMax=2G\n"
# Before it boots, a node has no such group.
_KEY = """[Service]
ExecStartPre=+chgrp diag-tls /etc/diag/tls/node.key
ExecStartPre=+chmod 640 /etc/diag/tls/node.key
"""
_PLACES = {"master": ("m", 10), "agent": ("a", 20), "agent_public": ("p", 30)}


def wait_until(question, seconds, what):
    """Ask until the answer is true and nothing is raised; return it. Else say what was awaited, and what was last."""
    return eventually(question, seconds, every=0.05, what=what)


def test(function):
    """Mark a test that is to find all well, whatever the one before it has left behind."""
    @functools.wraps(function)
    def from_health(cluster):
        cluster.reset()
        function(cluster)
    return tap.test(from_health)


def _program(service):
    return INSTALL / "usr/sbin" / service.removesuffix(".service")


def installed(service):
    return _program(service).exists()


def _enabled(service, socket, port, addresses):
    """As by systemctl enable; the socket is open to the network, too."""
    links = (f"sockets.target.wants/{socket}", f"{service}.wants/{socket}", f"multi-user.target.wants/{service}")
    placed = {f"systemd/system/{link}": Path(UNITS, Path(link).name) for link in links}
    listens = "".join(f"ListenStream={address}:{port}\n" for address in addresses)
    placed[f"systemd/system/{socket}.d/network.conf"] = "[Socket]\n" + listens
    if b"__asan_init" in _program(service).read_bytes():
        placed[f"systemd/system/{service}.d/sanitizer.conf"] = _SANITIZER
    return placed


def _collector():
    """What reads for the node daemon: its socket, enabled. A sanitizer wants more memory than a collector may have; that
    has no SystemCallFilter=, and the first one would allow nothing but itself."""
    placed = {"systemd/system/sockets.target.wants/diag-collect.socket": Path(UNITS, "diag-collect.socket")}
    if b"__asan_init" in _program(AGENTD).read_bytes():
        placed["systemd/system/diag-collect@.service.d/sanitizer.conf"] = "[Service]\nMemoryMax=2G\n"
    return placed


class Member(Node):
    """A node of a cluster. role: master, agent or agent_public."""

    def __init__(self, cluster, role, number):
        letter, offset = _PLACES[role]
        self.cluster, self.role = cluster, role
        self.port = 1051 if role == "master" else 1050
        super().__init__(f"{letter}{number}", f"10.77.0.{offset + number}", cluster)
        # It could be there, too: "ip addr add" is all that is missing.
        self.other_address = f"10.77.1.{offset + number}"
        # Where the cluster is asked: on a master, at the front door.
        self.unix = AGGREGATORD_SOCKET if role == "master" and installed(AGGREGATORD) else AGENTD_SOCKET

    @property
    def tcp(self):
        """Where its agent is reached by others, and how, for get() and the like."""
        return {"port": self.port, "address": self.address, "tls": self.cluster.tls}

    def boot_words(self):
        self._boot_options = {"files": self.cluster.files_of(self), "etc": self.cluster.folders_of(self)}
        return super().boot_words()

    def components(self):
        """Names of the units that it is for."""
        return sorted(p.name for p in (self.root / f"etc/systemd/system/{dcos.TARGET}.wants").iterdir())

    def states(self):
        """What systemd says of each: active, activating, failed, ..."""
        names = self.components()
        return dict(zip(names, self.systemctl("is-active", *names, check=False).split()))

    def fail(self, unit, status=dcos.BROKEN):
        """End a component with this status; with another than BROKEN, systemd starts it again in vain for ever."""
        broken = self.root / "run/broken"
        broken.mkdir(exist_ok=True)
        (broken / unit.removesuffix(".service")).write_text(str(status))
        self.faults[unit] = lambda: self.start_unit(unit)
        self.kill_unit(unit, "USR1")

    def start_unit(self, unit):
        (self.root / "run/broken" / unit.removesuffix(".service")).unlink(missing_ok=True)
        super().start_unit(unit)

    def mend(self):
        super().mend()
        if down := [unit for unit, state in self.states().items() if state not in ("active", "activating")]:
            self.systemctl("start", "--no-block", *down)

    def diagnostics(self):
        """Of what is not well here, the last words."""
        head = f"{self.name}: {', '.join(self.faults) or 'no fault'}"
        if "power" in self.faults or "paused" in self.faults:
            return head
        wrong = {unit: state for unit, state in self.states().items() if state != "active"}
        units = [word for unit in (*wrong, "diag-*") for word in ("-u", unit)]
        said = self.exec("journalctl", "-n", "20" if wrong else "4", "-o", "short-precise", "--no-hostname", *units,
                         check=False)
        return f"{head}; {wrong or 'all active'}\n{said.stdout}{super().diagnostics()}"


class Cluster(Testbed):
    """zookeeper: on the masters that are there at the start; tls: between nodes, with diag's own certificates; settle:
    wait until all is well; files: a function of a Member that returns more {path below /etc: text, bytes, Path}."""

    authority = None        # with tls: who makes certificates
    tls = None              # a context for somebody with the certificate of a master

    def __init__(self, masters=3, agents=1, public=1, zookeeper=True, tls=False, settle=True, files=None):
        super().__init__()
        self._with_tls, self._settle, self._files = tls, settle, files or (lambda member: {})
        self.nodes = [Member(self, role, n + 1) for role, many in
                      (("master", masters), ("agent", agents), ("agent_public", public)) for n in range(many)]
        self._original = tuple(self.nodes)
        self.zookeeper = zk.Ensemble(self.masters if zookeeper else [])

    def __enter__(self):
        super().__enter__()
        try:
            if self._with_tls:
                self._make_certificates()
            self.boot(*self.nodes)
            if self._settle:
                self.settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    @property
    def masters(self):
        return [n for n in self.nodes if n.role == "master"]

    @property
    def agents(self):
        return [n for n in self.nodes if n.role == "agent"]

    @property
    def public(self):
        return [n for n in self.nodes if n.role == "agent_public"]

    def add(self, role, number):
        """Boot one more, without a member of the ensemble."""
        member = Member(self, role, number)
        self.boot(member)
        self.nodes.append(member)
        return member

    def remove(self, peer):
        super().remove(peer)
        if peer in self.nodes:
            self.nodes.remove(peer)

    # What a node is to hold before it boots

    def _make_certificates(self):
        self.authority = certificates.Authority(INSTALL / "usr/bin/diag", self.top / "tls")
        self.authority.issue(self.top / "tester", "tester", "master", self.outside.address)
        self.tls = self.authority.context(self.top / "tester")

    def files_of(self, member):
        ensemble = [m.address for m in self.zookeeper.members]
        placed = {}
        if member in self.zookeeper.members:
            placed |= zk.java_files()
            placed |= zk.files(1 + self.zookeeper.members.index(member), ensemble)
            ensemble = ["127.0.0.1"]
        placed |= dcos.files(member.role, [m.address for m in self.masters], ensemble,
                             [zk.UNIT] if member in self.zookeeper.members else [])
        if installed(AGENTD):
            placed |= self._agentd(member) | _collector()
        if installed(AGGREGATORD) and member.role == "master":
            placed |= self._aggregatord(member)
        return placed | self._files(member)

    def folders_of(self, member):
        """The same, already in files: what is nobody else's business has its mode there."""
        if not self.authority:
            return []
        folder = self.top / f"{member.name}.tls"
        self.authority.issue(folder / "diag/tls", member.name, member.role, member.address, member.other_address)
        return [folder]

    def _agentd(self, member):
        socket = "diag-agentd-master.socket" if member.role == "master" else "diag-agentd.socket"
        conf = f"[Agent]\nRole={member.role}\nAddress={member.address}\n"
        return {**self._service(AGENTD, socket, member.port, (member.address, member.other_address)),
                "diag/agentd.conf": conf + self._listen()}

    def _aggregatord(self, member):
        """Masters know each other by ZooKeeper, or else are listed as all others are."""
        ensemble = [f"{m.address}:{zk.PORT}" for m in self.zookeeper.members]
        listed = [n for n in self.nodes if not ensemble or n.role != "master"]
        conf = f"[Cluster]\nName=test\nMastersExpected={len(self.masters)}\n"
        conf += "".join(f"Node={n.role}={n.address}\n" for n in listed)
        if ensemble:
            conf += f"[ZooKeeper]\nHosts={','.join(ensemble)}\nSecret=test\n"
        return {**self._service(AGGREGATORD, "diag-aggregatord.socket", AGGREGATORD_PORT, (member.address,)),
                "diag/aggregatord.conf": conf + self._listen()}

    def _listen(self):
        return "" if self._with_tls else f"[Listen]\nInsecure=yes\nAllowFrom={NETWORK}\n"

    def _service(self, service, socket, port, addresses):
        return _enabled(service, socket, port, addresses) | \
            ({f"systemd/system/{service}.d/key.conf": _KEY} if self._with_tls else {})

    # All is well

    def settle(self, seconds=60):
        """Wait until each component is active, and diag's daemons agree."""
        eventually(self.is_well, seconds, every=0.2, what="all is well")

    def is_well(self):
        for node in self.nodes:
            wrong = {u: s for u, s in node.states().items() if s != "active"}
            assert not wrong, f"{node.name}: {wrong}"
            if installed(AGENTD):
                said = node.get(HEALTH, unix=AGENTD_SOCKET).json()
                assert said["health"] == "healthy", f"{node.name}: {said}"
        assert self.zookeeper.is_whole(), self.zookeeper.modes()
        if installed(AGGREGATORD):
            for master in self.masters:
                self._is_well_seen_from(master)
        return True

    def _is_well_seen_from(self, master):
        cluster, nodes = (master.get(f"/system/health/v2/{what}", unix=AGGREGATORD_SOCKET).json()
                          for what in ("cluster", "nodes"))
        health = {n["address"]: n["health"] for n in nodes["items"]}
        wrong = {n.name: health.get(n.address) for n in self._original if health.get(n.address) != "healthy"}
        if wrong:       # who was away is asked anew, for otherwise that may take half a minute
            master.get("/system/health/v1/nodes?cache", unix=AGGREGATORD_SOCKET, timeout=45)
        assert not wrong, f"{master.name}: {wrong}"
        assert cluster["health"] == "healthy", f"{master.name}: {cluster['reasons']}"
        assert all(v["agrees"] for v in cluster["views"]), f"{master.name}: {cluster['views']}"
        assert all(s["state"] in ("ok", "reset") for s in cluster["sources"]), f"{master.name}: {cluster['sources']}"

    def reset(self):
        """Make all faults good, and take away who has come since the start; a node is booted only if it is off."""
        for peer in [p for p in self._peers if p not in (self.outside, *self._original)]:
            self.remove(peer)
        for peer in self._peers:
            for daemon in peer.daemons:
                daemon.kill()
            peer.daemons.clear()
            peer.mend()
        self.settle()

    def diagnostics(self):
        return "\n".join(p.diagnostics() for p in self._peers)
