#!/usr/bin/env python3
"""Side by side with dcos-diagnostics: its agents under our master, its masters over our daemons, and its clients."""
import contextlib
import gzip
import itertools
import json
import re
import time

import tap
from fake_nodes import PORT, V1, V2, FakeNodes, go_node, go_unit
from node import Node, eventually
from tap import test

MASTER, BIG, NULL, SLOW, CLOSES, EMPTY, LATE, ODD, NONE = (f"10.77.1.{n}" for n in range(1, 10))
OURS = "10.77.0.11"
# These are left alone by all but an aggregator of their own.
QUIET = {"10.77.2.1": "master", "10.77.2.2": "agent", "10.77.2.3": "agent_public"}
INTERVAL = {"master": (5, 6), "agent": (24, 37)}        # seconds from an answer to the next question
ROLES = {MASTER: "master", BIG: "agent", NULL: "agent", SLOW: "agent", CLOSES: "agent_public", EMPTY: "agent",
         LATE: "agent", ODD: "agent", NONE: "agent", "127.0.0.1": "master"}
HELP = "Node available at `dcos node ssh -mesos-id {id}`. Try, `journalctl -xv` to diagnose further."
UNITS = {
    "dcos.target": "[Unit]\nDescription=What this node is for\n",
    "dcos-bad.service": "[Unit]\nDescription=Bad: <it> & fails\n[Service]\nExecStart=/bin/sh -c 'echo broke; exit 3'\n",
    "dcos-good.service": "[Unit]\nDescription=Good: it is\n[Service]\nExecStart=/bin/sleep infinity\n",
}
# What Go's net/http sends of its own.
GO = "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n"


def put_fleet(f):
    bad = "dcos-big-07.service state is not one of the possible states [active inactive activating]. " \
          "Current state is [ failed ]. \nline <1> & more"
    many = [go_unit(f"dcos-big-{n:02}.service", int(n == 7), bad if n == 7 else "") for n in range(60)]
    f.put(MASTER, go_node([go_unit("dcos-mesos-master.service"), go_unit("dcos-big-07.service")], MASTER, "master"),
          go=True)
    f.put(BIG, go_node(many, BIG), go=True)
    f.put(NULL, go_node(None, NULL), go=True)
    f.put(SLOW, go_node([go_unit("dcos-slow.service")], SLOW), go=True, slow=2)
    f.put(CLOSES, go_node([go_unit("dcos-closes.service", 1, "no")], CLOSES, "agent_public"), go=True, close=True)
    f.put(EMPTY, {}, go=True)
    f.put(LATE, go_node([go_unit("dcos-late.service")], LATE), go=True, slow=4)
    f.put(ODD, go_node([{**go_unit("dcos-odd.service"), "health": "0"}], ODD), go=True)
    f.put(NONE, go_node([], NONE), go=True)


def nodes(roles):
    return [word for address, role in roles.items() for word in ("--node", f"{role}={address}")]


def leave_alone(m):
    m.quiet = FakeNodes(m.bed, "10.77.2", len(QUIET))
    for address, role in QUIET.items():
        m.quiet.put(address, go_node([go_unit("dcos-quiet.service")], address, role), go=True,
                    close=role == "agent_public")
    m.start("env", "STATE_DIRECTORY=/run/quiet", "diag-aggregatord", "--listen", "127.0.0.1:1060", *nodes(QUIET))


@contextlib.contextmanager
def cluster():
    links = {f"dcos.target.wants/{name}": f"../{name}" for name in UNITS if name != "dcos.target"}
    with Node("m1", units=UNITS, links=links) as m:
        m.systemctl("start", "--no-block", "dcos.target")
        leave_alone(m)
        m.fleet = FakeNodes(m.bed, "10.77.1", 9)
        put_fleet(m.fleet)
        network = ("--insecure", "--allow", "10.77.0.0/16")
        m.agentd = m.start("env", "DCOS_VERSION=2.1.0", "diag-agentd", "--role", "master", "--listen", "127.0.0.1:1051",
                           "--listen", f"{OURS}:1051", "--listen", "unix:/run/diag/agentd.sock", *network)
        m.since = time.monotonic()
        m.aggregatord = m.start("diag-aggregatord", "--listen", "127.0.0.1:1050", "--listen", f"{OURS}:1050",
                                *network, *nodes(ROLES))
        eventually(lambda: "in time" in v2_node(m, LATE)["text"] and v2_node(m, "127.0.0.1")["counts"]["unhealthy"], 20)
        print(f"# every node is judged after {time.monotonic() - m.since:.1f} s")
        yield m
        for daemon in m.agentd, m.aggregatord:
            assert daemon.stop() == 0, daemon.output()


def get(m, url, **where):
    return m.get(url, **{"port": 1050, **where})


def v1(m, path, **where):
    answer = get(m, V1 + path, **where)
    assert answer.status == 200, (path, answer)
    assert answer.headers["Content-Type"] == "application/json", answer.headers.items()
    return answer.json()


def v2_node(m, address):
    answer = get(m, f"/system/health/v2/nodes/{address}")
    assert answer.status == 200, answer
    return answer.json()


def health(m):
    return {n["host_ip"]: n["health"] for n in v1(m, "/nodes")["nodes"]}


# --- its agents, and its masters, under our master ----------------------------------------------------

@test
def judges(m):
    "judges each of its nodes by what that says, and calls unknown what says nothing"
    expected = {MASTER: 0, BIG: 1, NULL: 3, SLOW: 0, CLOSES: 1, EMPTY: 3, LATE: 3, ODD: 3, NONE: 3, "127.0.0.1": 1}
    eventually(lambda: health(m) == expected, 5, what=f"{health(m)} becomes {expected}")
    for address, words in (NULL, "units"), (EMPTY, "units"), (ODD, "health"), (LATE, ""):
        of = v2_node(m, address)
        assert of["health"] == "unknown" and of["reach"] == "never" and words in of["text"], of
    assert v2_node(m, NONE)["code"] == "no-components"


@test
def shows(m):
    "shows all that they say, in v1 and v2"
    of = v2_node(m, BIG)
    assert (of["protocol"], of["node_id"], of["health"], of["counts"]["healthy"], of["port"]) == \
        ("v1", f"addr:{BIG}", "unhealthy", 59, PORT), of
    assert (of["version"], of["hostname"], of["mesos_id"]) == ("0.4.0", "go", "6b0f7c5e-agent-S2"), of
    bad = next(c for c in of["components"] if c["name"] == "dcos-big-07.service")
    assert bad["health"] == "unhealthy" and bad["output"] == "line <1> & more", bad
    assert abs(of["clock_offset_ms"]) < 2000 and of["rtt_seconds"] < 2.5, of
    there = v1(m, f"/nodes/{BIG}/units/dcos-big-07.service")
    assert there["output"] == f"{bad['text']}\n{bad['output']}", (there, bad)
    assert there["name"] == "Big-07" and \
        there["help"] == HELP.format(id="6b0f7c5e-agent-S2"), there
    assert v2_node(m, MASTER)["role"] == "master" and v2_node(m, CLOSES)["role"] == "agent_public"
    assert eventually(lambda: v2_node(m, SLOW)["rtt_seconds"]) >= 2
    reason = {r["address"] for r in get(m, "/system/health/v2/cluster").json()["reasons"]}
    assert reason == {"127.0.0.1"}, "agents decide nothing, and its master is healthy"


@test
def changes(m):
    "takes a change of its master within an interval"
    body = go_node([go_unit("dcos-mesos-master.service", 1, "gone")], MASTER, "master")
    began = time.monotonic()
    m.fleet.put(MASTER, body, go=True)
    eventually(lambda: health(m)[MASTER] == 1, 8)
    print(f"# seen after {time.monotonic() - began:.1f} s")
    reasons = get(m, "/system/health/v2/cluster").json()["reasons"]
    assert {"master-unhealthy"} == {r["code"] for r in reasons}, reasons
    assert any(r["address"] == MASTER and r["component"] == "dcos-mesos-master.service" for r in reasons), reasons


# --- its masters over our daemons ---------------------------------------------------------------------

def as_go(m, target, port, address):
    """What Go's client gets: status, header and body, unpacked if it is; 3 seconds, as its puller has."""
    raw = GO.format(target=target, host=f"{address}:{port}").encode()
    connection = m.bed.outside.tcp_socket(port, address, 3)
    with connection, connection.makefile("rb") as answer:
        connection.sendall(raw)
        status = int(answer.readline().split()[1])
        fields = dict(line.decode().strip().lower().split(": ", 1) for line in iter(answer.readline, b"\r\n"))
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while n := int(answer.readline(), 16):
                body += answer.read(n)
                answer.readline()
        else:
            body = answer.read(int(fields["content-length"]))
    return status, fields, gzip.decompress(body) if fields.get("content-encoding") == "gzip" else body


@test
def is_pulled(m):
    "is pulled by its masters: agentd, and on a master the front door, say what dcos-diagnostics says, to the key"
    for port in (1051, 1050):
        status, fields, body = as_go(m, V1, port, OURS)
        said = json.loads(body)
        assert status == 200 and fields["content-type"] == "application/json" and body.endswith(b"}\n"), fields
        assert list(said) == ["units", "hostname", "ip", "dcos_version", "node_role", "mesos_id",
                              "dcos_diagnostics_version"], said
        assert all(list(u) == ["id", "health", "output", "description", "help", "name"] for u in said["units"]), said
        assert [(u["id"], u["health"]) for u in said["units"]] == [("dcos-bad.service", 1), ("dcos-good.service", 0)]
        assert [said[key] for key in ("hostname", "ip", "dcos_version", "node_role")] == ["m1", OURS, "2.1.0", "master"]
        assert all(isinstance(u[key], str) for u in said["units"] for key in u if key != "health")
        assert b"Bad: \\u003cit\\u003e \\u0026 fails" in body or b"<" not in body, body
        # Over the network the reason alone: nobody has said that the network may read what was printed.
        assert "broke" not in body.decode() and "failed" in said["units"][0]["output"], said


@test
def is_pulled_for_cluster(m):
    "answers the requests for the whole that its masters, GUI and tools send across the network"
    for path in "/nodes", "/units", "/report", f"/nodes/{BIG}/units":
        status, fields, body = as_go(m, V1 + path, 1050, OURS)
        assert status == 200 and json.loads(body), (path, status)
        assert "last-modified-3dt" in fields, fields
    assert as_go(m, V1 + "/nodes/10.9.9.9", 1050, OURS)[::2] == (404, b"10.9.9.9 not found\n")


# --- its clients --------------------------------------------------------------------------------------

@test
def forced(m):
    "answers the test suite of DC/OS: ?cache=0 on each request, keys counted, each list the union of the others"
    before, began = len(m.fleet.requests(MASTER, V1)), time.monotonic()
    nodes = v1(m, "/nodes?cache=0")["nodes"]
    one = time.monotonic() - began
    assert len(m.fleet.requests(MASTER, V1)) > before, "nobody was asked anew"
    assert len(nodes) == len(ROLES) and all(set(n) == {"host_ip", "health", "role"} for n in nodes), nodes
    assert {n["host_ip"]: n["role"] for n in nodes} == ROLES
    assert [n["host_ip"] for n in nodes] == sorted((n["host_ip"] for n in nodes), key=str)
    units = v1(m, "/units?cache")["units"]
    assert all(set(u) == {"id", "name", "health", "description"} for u in units)
    union = set()
    for n in nodes:
        of = v1(m, f"/nodes/{n['host_ip']}/units")["units"]
        assert all(set(u) == {"id", "name", "health", "description"} for u in of), of
        union |= {u["id"] for u in of}
        assert bool(of) == (n["health"] != 3), n
    assert {u["id"] for u in units} == union
    print(f"# a forced round with a node that does not answer: {one:.1f} s")


@test
def each_unit(m):
    "gives each unit and node by itself as in the lists, and says of a node in a unit's list how the node is"
    nodes = {n["host_ip"]: n for n in v1(m, "/nodes")["nodes"]}
    for u in v1(m, "/units")["units"]:
        assert v1(m, f"/units/{u['id']}") == u
        on = v1(m, f"/units/{u['id']}/nodes")["nodes"]
        assert on and all(n == nodes[n["host_ip"]] for n in on), on
        healths = []
        for n in on:
            there = v1(m, f"/units/{u['id']}/nodes/{n['host_ip']}")
            assert set(there) == {"host_ip", "health", "role", "output", "help"} and there["help"], there
            own = v1(m, f"/nodes/{n['host_ip']}/units/{u['id']}")
            assert set(own) == {"id", "health", "output", "description", "help", "name"} and own["help"], own
            assert own["output"] == there["output"] and bool(own["output"]) == bool(own["health"]), own
            healths.append(own["health"])
        assert u["health"] == max(healths), (u, healths)
    for address, n in nodes.items():
        assert v1(m, f"/nodes/{address}") == n
    assert all(isinstance(n["health"], int) for n in nodes.values())


@test
def not_found(m):
    "says what is not there in the words that its clients know, even if asked anew"
    for path, what in [("/units/none.service", "none.service"), ("/units/none.service/nodes", "none.service"),
                       ("/units/none.service/nodes/10.9.9.9", "none.service"),
                       ("/units/dcos-good.service/nodes/10.9.9.9", "10.9.9.9"),
                       ("/nodes/10.9.9.9", "10.9.9.9"), ("/nodes/10.9.9.9/units", "10.9.9.9"),
                       ("/nodes/10.9.9.9/units/dcos-good.service", "10.9.9.9"),
                       ("/nodes/127.0.0.1/units/none.service", "none.service"), ("/nodes/units", "units")]:
        answer = get(m, V1 + path)
        assert (answer.status, answer.body) == (404, f"{what} not found\n".encode()), (path, answer)
        assert answer.headers["Last-Modified-3DT"] and answer.headers["X-Content-Type-Options"] == "nosniff"
    for port in (1050, 1051):
        answer = get(m, V1 + "/?cache=0", port=port)
        assert (answer.status, answer.headers["Location"]) == (301, V1 + "?cache=0"), answer.headers.items()
        assert get(m, V1 + "?cache=0", port=port).status == 200
    # What DC/OS had before it was called so.
    assert get(m, V1 + "/nothing").status == 404 and get(m, V1 + "/nodes/").status == 301


@test
def telemetry(m):
    "is read by dcos-signal: it counts the nodes of a unit whose output is not empty"
    report = v1(m, "/report")
    assert set(report) == {"Units", "Nodes", "UpdatedTime"} and set(report["Nodes"]) == set(ROLES)
    bad = {name: sum(bool(n["Output"][name]) for n in u["Nodes"]) for name, u in report["Units"].items()}
    assert {name: n for name, n in bad.items() if n} == \
        {"dcos-bad.service": 1, "dcos-big-07.service": 1, "dcos-closes.service": 1, "dcos-mesos-master.service": 1}, bad
    for u in report["Units"].values():
        assert set(u) == {"UnitName", "Nodes", "Health", "Title", "Timestamp", "PrettyName"}, u
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", u["Timestamp"]), u
    gone = report["Nodes"][LATE]
    assert (gone["Health"], gone["Host"], gone["MesosID"], gone["Output"], "Units" in gone) == \
        (3, "", "", None, False), gone
    for address in BIG, "127.0.0.1":
        of = report["Nodes"][address]
        assert set(of["Output"]) == {u["UnitName"] for u in of["Units"]} == \
            {u["id"] for u in v1(m, f"/nodes/{address}/units")["units"]}
        assert all([n["IP"] for n in u["Nodes"]] == [address] for u in of["Units"]), of["Units"][0]
    download = get(m, V1 + "/report/download")
    assert download.headers["Content-Disposition"] == "attachment; filename=health-report.json"
    assert download.json()["Nodes"].keys() == report["Nodes"].keys()


# --- how often ----------------------------------------------------------------------------------------

@test
def intervals(m):
    "asks its masters every 5 seconds and its agents every 30, never faster, and for API v2 only once meanwhile"
    def at(address):
        return [r.at for r in m.quiet.requests(address, V1)]
    eventually(lambda: all(len(at(a)) >= 2 for a in QUIET), 60, every=0.2)
    for address, role in QUIET.items():
        least, most = INTERVAL[role.removesuffix("_public")]
        gaps = [round(b - a, 2) for a, b in itertools.pairwise(at(address))]
        print(f"# a Go {role} is asked after {gaps} s")
        assert all(least - 0.1 <= gap <= most for gap in gaps), (address, gaps)
        everything = m.quiet.requests(address)
        assert [r.target for r in everything if r.target != V1] == [V2 + "?fields=health"], everything
        assert {r.method for r in everything} == {"GET"}
        one_each = len({r.connection for r in everything[1:]}) == len(everything) - 1
        assert one_each == (role == "agent_public"), "a connection that its server keeps open is used again"
        assert len({r.connection for r in everything}) == 1 or one_each, everything


tap.main(cluster)
