"""Nodes that are what a test says: a Python face on ../fixtures/fake-nodes.

    fleet = FakeNodes(bed, "10.77.1", 3)            # 10.77.1.1 to .3, beside all nodes of the testbed
    fleet.put("10.77.1.1", go_node([go_unit("a.service", 1, "it is broken")], role="agent"))
    fleet.put("10.77.1.2", node("10.77.1.2", [unit("a.service")]), slow=2)
    fleet.requests("10.77.1.1")                     # what it was asked
"""
import collections
import json
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "fixtures/fake-nodes"
PORT = 1050
V1, V2 = "/system/health/v1", "/system/health/v2/node"

Request = collections.namedtuple("Request", "at to connection method target headers")


class FakeNodes:
    def __init__(self, bed, network, many, ports=(PORT,)):
        """network: the first three numbers of their addresses"""
        self.addresses = [f"{network}.{n + 1}" for n in range(many)]
        self.directory = bed.top / f"fake-{network}"
        self.directory.mkdir()
        self.peer = bed.stranger(self.addresses[0])
        for address in self.addresses[1:]:
            self.peer.exec("ip", "addr", "add", f"{address}/16", "dev", "host0")
        self.daemons = [self.peer.start(str(PROGRAM), str(self.directory), str(port)) for port in ports]

    def put(self, address, body=None, **more):
        """What it is from now on; see fake-nodes for what more there is."""
        new = self.directory / f"{address}.new"
        new.write_text(json.dumps({**({} if body is None else {"body": body}), **more}))
        new.rename(self.directory / f"{address}.json")

    def requests(self, address=None, target=""):
        """All, or those to one of them, whose target begins so."""
        log = self.directory / "requests"
        lines = log.read_text().splitlines() if log.exists() else []
        of = [Request(*json.loads(line)) for line in lines]
        return [r for r in of if address in (None, r.to) and r.target.startswith(target)]


# dcos-diagnostics

def go_unit(name, health=0, output="", description="Some component: of DC/OS"):
    return {"id": name, "health": health, "output": output, "description": description, "help": "",
            "name": name.removeprefix("dcos-").removesuffix(".service").title()}


def go_node(units, ip, role="agent", hostname="go"):
    """What GET /system/health/v1 of dcos-diagnostics says, key by key."""
    return {"units": units, "hostname": hostname, "ip": ip, "dcos_version": "2.1.0", "node_role": role,
            "mesos_id": f"6b0f7c5e-{role}-S{ip.rpartition('.')[2]}", "dcos_diagnostics_version": "0.4.0"}


# diag-agentd

def unit(name, health="healthy", code="exit-code", text="exited with status 3"):
    more = {} if health == "healthy" else {"code": code, "text": text}
    return {"name": name, "title": name, "description": f"Description of {name}", "kind": "unit", "health": health,
            **more, "since": "2026-11-21T00:04:07.123Z"}


def node(address, units, role="agent", seq=1, **more):
    """What GET /system/health/v2/node?fields=health says."""
    number = int.from_bytes(map(int, address.split(".")), "big")
    counts = {h: sum(u["health"] == h for u in units) for h in ("healthy", "unhealthy", "unknown")}
    worst = next((h for h in ("unhealthy", "unknown") if counts[h] or not units), "healthy")
    return {"node_id": f"{number:032x}", "boot_id": f"{number + 1:032x}", "instance": f"{number:016x}", "seq": seq,
            "hostname": f"h{number & 0xffff}", "address": address, "port": PORT, "role": role, "mesos_id": None,
            "version": "0.1.0", "dcos_version": None, "config_hash": "0" * 16, "phase": "running", "health": worst,
            "since": "2026-11-21T00:04:07.123Z", "counts": counts, "reasons": [], "maintenance": None,
            "components": units, "truncated": False, **more}
