"""A real ZooKeeper ensemble, one member a node, each a service that systemd runs; Debian's packages.

    files(number, addresses)    what the node of member NUMBER needs below /etc, besides java_files()
    Ensemble(nodes)             asking it, and taking its quorum away
"""
import contextlib
import re
from pathlib import Path

UNIT = "zookeeper.service"
PORT = 2181
SERVING = ("leader", "follower", "standalone")

# forceSync: what a power failure would cost does not matter here, and the disks of test machines are slow.
_UNIT = f"""[Unit]
Description=ZooKeeper: member %d of the ensemble
After=dcos-exhibitor.service

[Service]
User=zookeeper
StateDirectory=zookeeper
ExecStartPre=cp /etc/zookeeper/myid /var/lib/zookeeper/myid
ExecStart=/usr/bin/java -Xmx96m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \\
    -Dzookeeper.forceSync=no -Dzookeeper.jmx.log4j.disable=true -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \\
    -cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar \\
    org.apache.zookeeper.server.quorum.QuorumPeerMain /etc/zookeeper/zoo.cfg
# It is up when there is a quorum and it is part of it.
ExecStartPost=/bin/bash -c 'until exec 3<>/dev/tcp/127.0.0.1/{PORT} && echo srvr >&3 && \\
    grep -q "^Mode: " <&3; do sleep 0.05; done 2>/dev/null'
TimeoutStartSec=infinity
SuccessExitStatus=143
Restart=always
RestartSec=500ms
StartLimitIntervalSec=0
"""

_CONFIGURATION = f"""tickTime=500
initLimit=20
syncLimit=4
maxSessionTimeout=40000
dataDir=/var/lib/zookeeper
clientPort={PORT}
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=*
"""


def files(number, addresses):
    members = "".join(f"server.{n}={a}:2888:3888\n" for n, a in enumerate(addresses, 1)) if addresses[1:] else ""
    return {f"systemd/system/{UNIT}": _UNIT % number, "zookeeper/zoo.cfg": _CONFIGURATION + members,
            "zookeeper/myid": f"{number}\n"}


def java_files():
    """Java's configuration, which Debian keeps below /etc."""
    return {f.relative_to("/etc"): f.read_bytes() for d in Path("/etc").glob("java-*-openjdk")
            for f in d.rglob("*") if f.is_file()}


class Ensemble:
    """Members are asked on the loopback of their own nodes, so that a pulled cable does not matter."""

    def __init__(self, members):
        self.members = list(members)

    def say(self, member, word):
        """The answer to one of ZooKeeper's four letter words; empty if there is none."""
        with contextlib.suppress(OSError):
            return member.raw(word.encode(), port=PORT, timeout=2).decode()
        return ""

    def mode(self, member):
        """leader, follower, standalone, or None: it does not serve"""
        found = re.search(r"^Mode: (\w+)$", self.say(member, "srvr"), re.M)
        return found and found[1]

    def modes(self):
        return [self.mode(m) for m in self.members]

    def has_quorum(self):
        return any(mode in SERVING for mode in self.modes())

    def is_whole(self):
        return all(mode in SERVING for mode in self.modes())

    @property
    def leader(self):
        return next((m for m in self.members if self.mode(m) in ("leader", "standalone")), None)

    @property
    def followers(self):
        return [m for m in self.members if self.mode(m) == "follower"]

    def figures(self, member):
        """What mntr says, as words by name."""
        lines = (line.split("\t", 1) for line in self.say(member, "mntr").splitlines())
        return {words[0]: words[1] for words in lines if words[1:]}

    def lose_quorum(self):
        """Stop members until the rest is no majority; return those."""
        stopped = self.members[:(len(self.members) + 1) // 2]
        for member in stopped:
            member.stop_unit(UNIT)
        return stopped

    @contextlib.contextmanager
    def client(self, member, **options):
        """A kazoo client, connected from the member's own node; only Debian's python3 surely has the library."""
        from kazoo.client import KazooClient
        from kazoo.handlers.threading import SequentialThreadingHandler

        class Handler(SequentialThreadingHandler):
            def create_connection(self, *arguments, **more):
                return member.in_network(lambda: super(Handler, self).create_connection(*arguments, **more))

        client = KazooClient(f"127.0.0.1:{PORT}", handler=Handler(), **options)
        client.start(timeout=10)
        try:
            yield client
        finally:
            client.stop()
            client.close()
