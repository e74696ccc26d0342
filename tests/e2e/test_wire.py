#!/usr/bin/env python3
"""diag-agentd from outside: HTTP as its clients know it, configuration, identity, life and death."""
import contextlib
import json
import re
import select
import socket
import threading
import time

import tap
from node import Node, eventually
from tap import test

TARGET = "wire.target"
UNITS = {
    TARGET: "[Unit]\nDescription=What is watched\n",
    "good.service": "[Unit]\nDescription=Good: it is\n[Service]\nExecStart=/bin/sleep infinity\n",
    "marks.service": "[Unit]\nDescription=<a> & b: c: d\n[Service]\nExecStart=/bin/sleep infinity\n",
    # Longer than what is shown, and with something in it that nobody should see.
    "bad.service": "[Service]\n"
                   "ExecStart=/bin/sh -c 'seq -f \"line %%g.\" 80; echo password=hunter2 mode=fast; exit 3'\n",
    "slow.service": "[Service]\nType=notify\nTimeoutStartSec=600\nExecStart=/bin/sleep infinity\n",
}
WATCHED = sorted(set(UNITS) - {TARGET})
V1, V2, HEALTH, ALIAS = (f"/system/health/{path}" for path in ("v1", "v2/node", "v2/node?fields=health", "v1/v2/node"))
VIEWS = (V1, V2, HEALTH, ALIAS)
LISTENING = {"unix": {"unix": "/run/wire.sock"}, "tcp": {"port": 1234}}
STOP_WITHIN = 2


@contextlib.contextmanager
def node():
    links = {f"{TARGET}.wants/{name}": f"../{name}" for name in WATCHED}
    with Node("wire", units=UNITS, links=links) as n:
        n.systemctl("start", "--no-block", TARGET)
        n.agentd = start(n, "--listen", "127.0.0.1:1234", "--listen", "unix:/run/wire.sock")
        eventually(lambda: components(n)["bad.service"]["code"] == "exit-code")
        yield n


def start(node, *options):
    return node.start("diag-agentd", "--target", TARGET, *options)


def get(node, url, headers=None, **where):
    return node.get(url, headers, **(where or LISTENING["unix"]))


def components(node, **where):
    return {c["name"]: c for c in get(node, V2, **where).json()["components"]}


@contextlib.contextmanager
def agent(node, *options, config=None, environment=()):
    """One more, with a socket of its own; yields how to reach it."""
    where = {"unix": f"/run/wire-{len(node.daemons)}.sock"}
    if config is not None:
        options += ("--config", write(node, "/etc/diag/test.conf", config))
    daemon = node.start("env", *environment, "diag-agentd", "--listen", f"unix:{where['unix']}",
                        "--target", TARGET, *options)
    try:
        eventually(lambda: get(node, V1, **where).status == 200)
        yield where
        assert daemon.running, daemon.output()
        daemon.stop(STOP_WITHIN)
    finally:
        daemon.kill()


def write(node, path, text, mode=0o644):
    file = node.root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)
    return path


def split(raw):
    """The parts of an answer as it came: status line, header, body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    return status, {k.lower(): v for k, v in (f.split(": ", 1) for f in fields)}, body


# --- the contract ---


@test
def counts_keys(node):
    "answers v1 with 7 keys and 6 keys a unit, sorted, over both kinds of socket"
    for where in LISTENING.values():
        answer = get(node, V1, **where)
        assert answer.status == 200 and answer.headers.get_all("Content-Type") == ["application/json"]
        assert answer.body.endswith(b"}\n")
        report = answer.json()
        assert set(report) == {"units", "hostname", "ip", "dcos_version", "node_role", "mesos_id",
                               "dcos_diagnostics_version"}
        assert [u["id"] for u in report["units"]] == WATCHED
        for u in report["units"]:
            assert set(u) == {"id", "health", "output", "description", "help", "name"}
            assert u["help"] == "" and type(u["health"]) is int
        assert (report["hostname"], report["node_role"]) == ("wire", "agent")


@test
def spells_names(node):
    "makes title and description out of a unit's description, as the old service did"
    units = {u["id"]: (u["name"], u["description"]) for u in get(node, V1).json()["units"]}
    assert units["good.service"] == ("Good", "it is")
    assert units["marks.service"] == ("marks.service", "<a> & b c d")
    assert units["bad.service"] == ("bad.service", "bad.service")
    assert rb"\u003ca\u003e \u0026 b" in get(node, V1).body


@test
def has_the_shape_of_v2(node):
    "answers v2 with all members, and with ?fields=health without those that change by themselves"
    full, health = get(node, V2).json(), get(node, HEALTH).json()
    assert {"node_id", "boot_id", "instance", "seq", "hostname", "address", "port", "role", "mesos_id", "version",
            "dcos_version", "config_hash", "phase", "health", "since", "counts", "reasons", "maintenance",
            "components", "truncated", "system"} == set(full)
    assert set(health) == set(full) - {"system"}
    assert {"name", "title", "description", "kind", "health", "code", "text", "since", "expect", "output",
            "output_truncated", "unit", "probes", "needs"} == set(full["components"][0])
    assert not {"unit", "probes"} & set(health["components"][0])
    assert full["counts"] == {"healthy": 2, "unhealthy": 2, "unknown": 0} == health["counts"]
    assert [r["component"] for r in full["reasons"]] == ["bad.service", "slow.service"]
    assert full["system"]["state"] in ("starting", "degraded") and full["system"]["systemd"]
    assert get(node, ALIAS).json()["instance"] == full["instance"]
    assert get(node, V2 + "?fields=everything").status == 400


@test
def speaks_http_1_0(node):
    "answers HTTP/1.0 with a length, and hangs up"
    for where in LISTENING.values():
        for url in VIEWS:
            status, header, body = split(node.raw(f"GET {url} HTTP/1.0\r\n\r\n".encode(), timeout=5, **where))
            assert " 200 " in status, status
            assert int(header["content-length"]) == len(body) > 0 and "transfer-encoding" not in header


@test
def keeps_connections(node):
    "answers one request after the other on a connection"
    for where in LISTENING.values():
        connection = node.connection(**where)
        for url, status in ((V1, 200), ("/nowhere", 404), (V2, 200), (V1 + "/", 301), (HEALTH, 200)):
            connection.request("GET", url)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status, url
        connection.close()


@test
def answers_head(node):
    "answers HEAD as GET, without the body"
    for url in VIEWS:
        status, header, body = split(node.raw(f"HEAD {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(),
                                              timeout=5, **LISTENING["unix"]))
        assert " 200 " in status and body == b""
        assert int(header["content-length"]) > 0 and header["etag"], header


@test
def refuses_methods(node):
    "answers other methods with 405 and what is allowed"
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        for url in (V1, V2, V1 + "/"):
            answer = node.request(method, url, **LISTENING["unix"])
            assert (answer.status, answer.body) == (405, b""), (method, url, answer)
            assert answer.headers["Allow"] == "GET, HEAD" and answer.headers["Content-Length"] == "0"
            assert "Content-Type" not in answer.headers


@test
def knows_no_other_paths(node):
    "answers unknown paths with the old service's 404"
    for url in ("/", "/system", "/system/health/v1x", "/system/health/v1/nowhere", "/v1"):
        answer = get(node, url)
        assert (answer.status, answer.body) == (404, b"404 page not found\n"), (url, answer)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for url in ("/system/health/v2", "/system/health/v2/nowhere", "/system/health/v1/v2/nowhere"):
        answer = get(node, url)
        assert answer.status == answer.json()["code"] == 404 and answer.json()["reason"], (url, answer)


@test
def redirects(node):
    "sends badly written paths to the good ones, with their query"
    for url, to in {
            V1 + "/": V1, V1 + "/?cache=0": V1 + "?cache=0", V2 + "/?fields=health": HEALTH, ALIAS + "/": ALIAS,
            "//system/health/v1": V1, "/system//health/v1?a=b": V1 + "?a=b", "/system/./health/v1": V1,
            "/system/x/../health/v1": V1, "/system/x/%2e%2e/health/v1": V1, "/system/x/..%2fhealth/v1": V1,
            "/../../system/health/v1": V1}.items():
        answer = get(node, url)
        assert (answer.status, answer.headers["Location"]) == (301, to), (url, answer.headers["Location"])
    assert get(node, V1 + "/").headers["Content-Type"] == "text/html; charset=utf-8"


@test
def survives_nonsense(node):
    "gives an answer to nonsense, or hangs up, and lives on"
    for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100,
                 b"GET " + b"/a" * 20000 + b"\r\n\r\n",
                 b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"):
        raw = node.raw(data, timeout=1, **LISTENING["unix"])
        assert not raw or re.match(rb"HTTP/1\.[01] [45]\d\d ", raw), (data[:40], raw[:80])
    assert get(node, V1).status == 200


# --- entity tags and waiting ---


@test
def tags_answers(node):
    "gives one entity tag to all spellings, strong where the bytes depend on it alone"
    tags = {url: get(node, url).headers["ETag"] for url in VIEWS}
    strong = tags[HEALTH]
    assert re.fullmatch(r'"[0-9a-f]{16}\.[0-9]+"', strong), strong
    assert tags == {V1: "W/" + strong, V2: "W/" + strong, ALIAS: "W/" + strong, HEALTH: strong}
    assert get(node, HEALTH).body == get(node, HEALTH).body
    report = get(node, V2).json()
    assert strong == f'"{report["instance"]}.{report["seq"]}"'


@test
def answers_304(node):
    "answers 304 to whoever has it already"
    etag = get(node, HEALTH).headers["ETag"]
    other = re.sub(r"\.\d+", ".0", etag)
    for url in VIEWS:
        for known in (etag, "W/" + etag, "*", f'"x", {etag}', f"{other}, W/{etag}"):
            answer = get(node, url, {"If-None-Match": known})
            assert (answer.status, answer.body) == (304, b""), (url, known, answer)
            assert answer.headers["ETag"].removeprefix("W/") == etag
            assert float(answer.headers["Diag-Confirmed-Age"]) < 45 and answer.headers["Date"]
        for known in (other, '"x"', '"0123456789abcdef.1"', "nonsense", ""):
            answer = get(node, url, {"If-None-Match": known})
            assert answer.status == 200 and "Preference-Applied" not in answer.headers, (url, known)
            assert float(answer.headers["Diag-Confirmed-Age"]) < 45 and answer.headers["Date"]


@test
def waits(node):
    "holds a request of whoever has it already, and of nobody else"
    etag = get(node, HEALTH).headers["ETag"]
    for url in VIEWS:
        begun = time.monotonic()
        answer = get(node, url, {"If-None-Match": etag, "Prefer": "respond-async, wait=1"})
        assert answer.status == 304 and 0.9 < time.monotonic() - begun < 3
        assert answer.headers["Preference-Applied"] == "wait=1"
    begun = time.monotonic()
    for headers in ({"Prefer": "wait=30"}, {"Prefer": "wait=30", "If-None-Match": '"x"'},
                    {"Prefer": "wait=x", "If-None-Match": etag}, {"Prefer": "wait=0", "If-None-Match": etag}):
        assert get(node, V2, headers).status == (304 if headers.get("If-None-Match") == etag else 200), headers
    assert time.monotonic() - begun < 1


@test
def holds_the_first_answer(node):
    "does not answer before it knows, right after its start"
    daemon = start(node, "--listen", "unix:/run/first.sock")
    eventually(lambda: node.unix_socket("/run/first.sock").close() or True, every=0.001)
    report = get(node, V2, unix="/run/first.sock").json()
    assert report["phase"] == "running" and report["counts"]["unhealthy"] == 2, report
    assert daemon.stop(STOP_WITHIN) == 0


# --- why ---


@test
def says_why(node):
    "shows what the unit and systemd said: the newest 50 lines, without secrets"
    def outputs():
        v1 = next(u["output"] for u in get(node, V1).json()["units"] if u["id"] == "bad.service")
        v2 = components(node)["bad.service"]
        assert "Main process exited, code=exited, status=3/NOTIMPLEMENTED" in v1
        assert "Failed with result 'exit-code'" in v1
        return v1, v2

    v1, v2 = eventually(outputs)
    sentence, _, lines = v1.partition("\n")
    assert sentence.startswith("bad.service state is not one of the possible states") and lines == v2["output"]
    assert len(lines.splitlines()) == 50 and v2["output_truncated"], lines
    assert "line 80." in lines and "line 20." not in lines
    assert "hunter2" not in lines and "mode=fast" in lines and "password=" in lines, lines
    assert "hunter2" not in get(node, HEALTH).body.decode()
    assert [u["output"] for u in get(node, V1).json()["units"] if u["health"] == 0] == ["", ""]


@test
def shows_the_journal_of_an_alias(node):
    "shows the journal of a unit that is watched under another name"
    node.link_unit("other-name.service", "bad.service")
    node.systemctl("daemon-reload")
    with agent(node, "--unit", "other-name.service") as where:
        eventually(lambda: "Main process exited" in components(node, **where)["other-name.service"]["output"], 5)
    (node.root / "etc/systemd/system/other-name.service").unlink()
    node.systemctl("daemon-reload")


# --- who may ask ---


@test
def asks_for_care(node):
    "refuses to listen to other machines unless that is meant, and somebody is allowed"
    for options, words in ((("--listen", f"{node.address}:1051"), "Insecure"),
                           (("--listen", "0.0.0.0:1051", "--insecure"), "AllowFrom"),
                           (("--listen", "[::]:1051"), "Insecure")):
        daemon = start(node, *options)
        assert daemon.wait(5) == 2 and words in daemon.output(), daemon.output()


@test
def allows_networks(node):
    "answers an allowed network and refuses the others with 403"
    daemon = start(node, "--listen", f"{node.address}:1052", "--listen", "127.0.0.1:1052", "--insecure",
                   "--allow", "10.77.0.1/32", "--allow", "192.0.2.0/24")
    eventually(lambda: get(node, V1, port=1052).status == 200)
    fetch = f"import urllib.request as r; print(r.urlopen('http://{node.address}:1052{V1}').status)"
    assert node.bed.testnode("net", "python3", "-c", fetch).stdout == "200\n"
    # From its own address, which is nobody's loopback.
    answer = get(node, V1, port=1052, address=node.address)
    assert answer.status == 403 and b"bad.service" not in answer.body, answer
    assert daemon.stop(STOP_WITHIN) == 0


def stranger(node, request, **where):
    """Status and body of one answer to a request that was written by hand."""
    status, header, body = split(node.raw(request.replace("\n", "\r\n").encode(), timeout=5, **where))
    return int(status.split()[1]), header, body


@test
def knows_its_names(node):
    "answers over TCP only to addresses and names of its own, so that no page can make a browser read it"
    tcp, local = LISTENING["tcp"], LISTENING["unix"]
    for host, status in {"127.0.0.1:1234": 200, "localhost": 200, "[::1]:1": 200, "wire:1234": 200, "WIRE": 200,
                         node.address: 200, "evil.example": 421, "evil.example:1234": 421, "wire.evil": 421,
                         "": 421}.items():
        request = f"GET {V1} HTTP/1.1\nHost: {host}\nConnection: close\n\n"
        assert stranger(node, request, **tcp)[0] == status, host
        assert stranger(node, request, **local)[0] == 200, host
    request = f"GET {HEALTH} HTTP/1.1\nHost: evil.example\nConnection: close\n\n"
    status, _, body = stranger(node, request, **tcp)
    error = json.loads(body)
    assert (error["code"], error["reason"]) == (421, "wrong-host") and "AllowedHosts=" in error["error"], error
    assert stranger(node, f"GET {V1} HTTP/1.0\n\n", **tcp)[0] == 200
    daemon = start(node, "--listen", "127.0.0.1:1054", "--config",
                   write(node, "/etc/diag/hosts.conf", "[Listen]\nAllowedHosts=other.example\n"))
    eventually(lambda: get(node, V1, {"Host": "other.example"}, port=1054).status == 200)
    assert get(node, V1, {"Host": "evil.example"}, port=1054).status == 421
    assert daemon.stop(STOP_WITHIN) == 0


@test
def refuses_pages_of_others(node):
    "lets no page of another host change anything, and takes no form"
    url = V2 + "/maintenance"
    body = b'{"for_seconds":60,"reason":"test"}'
    json_type = {"Content-Type": "application/json"}
    for where in LISTENING.values():
        for origin in ("http://evil.example", "null", "https://localhost:1", "http://localhost.evil"):
            for method in ("PUT", "DELETE", "POST"):
                answer = node.request(method, url, {**json_type, "Origin": origin}, body, **where)
                assert (answer.status, answer.json()["reason"]) == (403, "cross-origin"), (origin, answer)
            assert get(node, V1, {"Origin": origin}, **where).status == 200
    for more in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        answer = node.request("PUT", url, more, body, **LISTENING["unix"])
        assert (answer.status, answer.json()["reason"]) == (415, "not-json"), (more, answer)
    assert get(node, V2).json()["maintenance"] is None
    request = f"PUT {url} HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: 65537\n\n"
    assert stranger(node, request, **LISTENING["unix"])[0] == 413


ASK_AS = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(f"{sys.argv[2]} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n".encode())
while data := s.recv(65536):
    sys.stdout.write(data.decode())
"""


def ask_as(node, who, line, unix):
    """Status and JSON of an answer to somebody else than root, over a Unix socket."""
    answer = node.exec("setpriv", *who, "python3", "-c", ASK_AS, unix, line).stdout
    head, _, body = answer.partition("\n\n")      # text: it had CR LF
    return int(head.split()[1]), json.loads(body)


@test
def knows_who_may_what(node):
    "knows who asks at its local socket: root and group diag may do all, others may read the health"
    groups = node.root / "etc/group"
    if not re.search("^diag:", groups.read_text(), re.M):
        with groups.open("a") as f:
            f.write("diag:x:4711:\n")
    gid = re.search("^diag:[^:]*:([0-9]+):", groups.read_text(), re.M)[1]
    anybody = ("--reuid", "65534", "--regid", "65534", "--clear-groups")
    operator = ("--reuid", "65534", "--regid", "65534", "--groups", gid)
    proxy = ("--reuid", "12345", "--regid", "65534", "--clear-groups")
    with agent(node, config="[Listen]\nTrustedProxy=uid:12345 grants=read\n") as where:
        component = f"GET {V2}/components/bad.service"
        change = f"DELETE {V2}/maintenance"
        for who in (anybody, operator, proxy):
            assert ask_as(node, who, f"GET {HEALTH}", **where)[0] == 200
        for who, line, needed in ((anybody, component, "read"), (anybody, change, "operate"), (proxy, change, "operate")):
            status, error = ask_as(node, who, line, **where)
            assert (status, error["code"], error["reason"]) == (403, 403, "not-allowed"), error
            for word in (f"class {needed}", f"uid {who[1]}", "root", "group diag"):
                assert word in error["error"], error
        assert ask_as(node, proxy, component, **where)[0] == 200
        assert ask_as(node, operator, component, **where)[0] == 200
        assert ask_as(node, operator, change, **where)[0] == 200
        assert node.request("DELETE", V2 + "/maintenance", **where).status == 200
        log = eventually(lambda: re.findall("refused GET .*class.*", node.daemons[-1].output()))
        assert "/components/bad.service of uid 65534" in log[0] and len(log) == 1, log
    answer = get(node, V2 + "/components/bad.service", **LISTENING["tcp"])
    assert answer.status == 403 and "nobody has over TCP" in answer.json()["error"], answer


# --- those who behave badly ---


class Crowd:
    """Connections from one of this node's loopback addresses, closed in the end whatever happens."""

    def __init__(self, node, address, port=1234):
        self.node, self.address, self.port, self.sockets = node, address, port, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sockets:
            s.close()

    def open(self, n):
        def connect():
            return [socket.create_connection(("127.0.0.1", self.port), 5, (self.address, 0)) for _ in range(n)]
        fresh = self.node.in_network(connect)
        self.sockets += fresh
        return fresh


def serves_others(node):
    for where in LISTENING.values():
        for url in (V1, HEALTH):
            answer = get(node, url, timeout=5, **where)
            assert answer.status == 200 and answer.body.endswith(b"}\n"), (where, answer)


def hung_up(s):
    """No bytes, and an end: the other side did not want this connection."""
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True


@test
def serves_others_beside_a_crowd(node):
    "has 64 places for each address, and serves others meanwhile"
    with Crowd(node, "127.0.0.2") as crowd:
        first = crowd.open(64)
        for s in first:
            s.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert s.recv(12) == b"HTTP/1.1 200"
        for s in crowd.open(20):
            assert hung_up(s)
        serves_others(node)
        first[0].close()
        eventually(lambda: not crowded(crowd))


def crowded(crowd):
    s, = crowd.open(1)
    s.sendall(f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return hung_up(s)


@test
def serves_others_beside_half_open_ones(node):
    "serves others while many say half of something, or nothing"
    beginnings = (b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: loc",
                  b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nxx",
                  b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n")
    with contextlib.ExitStack() as stack:
        for i in range(2, 8):
            for j, s in enumerate(stack.enter_context(Crowd(node, f"127.0.0.{i}")).open(60)):
                s.sendall(beginnings[j % len(beginnings)])
        serves_others(node)


@test
def serves_others_beside_those_who_never_read(node):
    "serves others while somebody asks for thousands of answers and takes none of them"
    request = f"GET {V2} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 100
    with Crowd(node, "127.0.0.9") as crowd:
        for s in crowd.open(20):
            s.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                for _ in range(100):
                    s.send(request)
        serves_others(node)


@test
def serves_others_beside_a_flood(node):
    "serves others while somebody connects and asks as fast as he can"
    over = threading.Event()

    def flood(address):
        with contextlib.suppress(OSError):
            while not over.is_set():
                with socket.create_connection(("127.0.0.1", 1234), 5, (address, 0)) as s:
                    s.sendall(f"GET {V2} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 50)
                    s.recv(1000)

    threads = [threading.Thread(target=node.in_network, args=(lambda i=i: flood(f"127.0.0.{i}"),)) for i in (10, 11, 12)]
    for t in threads:
        t.start()
    try:
        for _ in range(10):
            serves_others(node)
    finally:
        over.set()
        for t in threads:
            t.join()


@test
def lets_few_of_one_address_wait(node):
    "lets 8 requests of one address wait, answers the others at once, and lets others wait all the same"
    etag = get(node, HEALTH).headers["ETag"]
    wait = f"GET {HEALTH} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etag}\r\nPrefer: wait=3\r\n\r\n".encode()
    with Crowd(node, "127.0.0.20") as crowd, Crowd(node, "127.0.0.21") as others:
        waiting = crowd.open(20)
        begun = time.monotonic()
        for s in waiting:
            s.sendall(wait)
        other, = others.open(1)
        other.sendall(wait)
        answered = 0
        while answered < 12:
            ready, _, _ = select.select(waiting, [], [], 5)
            assert ready and time.monotonic() - begun < 3, answered
            for s in ready:
                assert s.recv(12) == b"HTTP/1.1 304"
                waiting.remove(s)
                answered += 1
        assert not select.select([other], [], [], 0)[0]
        for s in (*waiting, other):
            assert s.recv(12) == b"HTTP/1.1 304"
        assert time.monotonic() - begun > 2.9


@test
def counts_what_it_does(node):
    "says in its metrics how many it answered, and how many it sent away, and why"
    text = get(node, "/metrics").body.decode()
    values = {k: float(v) for k, v in re.findall(r"^(diag_http\S+) (\S+)$", text, re.M)}
    for reason in ("wrong-host", "cross-origin", "too-large", "too-many-connections", "not-allowed"):
        assert values[f'diag_http_refused_total{{reason="{reason}"}}'] > 0, (reason, values)
    for code in ("200", "304", "403", "404", "415", "421"):
        assert values[f'diag_http_requests_total{{code="{code}"}}'] > 0, (code, values)
    assert values["diag_http_parked_refused_total"] >= 12
    assert values['diag_http_connections_limit{listener="127.0.0.1:1234"}'] > 64


# --- configuration ---


@test
def reads_drop_ins(node):
    "takes the command line over drop-ins over the file"
    write(node, "/etc/diag/test.conf.d/10-a.conf", "[Agent]\nRole=agent_public\nHostname=ten\n")
    write(node, "/etc/diag/test.conf.d/20-b.conf", "[Agent]\nHostname=twenty\n[Judge]\nStarting=healthy\n")
    write(node, "/etc/diag/test.conf.d/30-c.txt", "nonsense\n")
    with agent(node, config="[Agent]\nRole=master\nHostname=file\nUnit=dbus.socket\n"
                            "[Unit bad.service]\nExpect=off\n") as where:
        report = get(node, V2, **where).json()
        assert (report["role"], report["hostname"]) == ("agent_public", "twenty")
        assert get(node, V1, **where).json()["hostname"] == "wire"      # the kernel's, as ever
        found = {c["name"]: (c["health"], c["code"]) for c in report["components"]}
        assert found["dbus.socket"] == ("healthy", "ok") and found["bad.service"] == ("healthy", "off")
        assert found["slow.service"] == ("healthy", "starting")
    with agent(node, "--role", "master", "--unit", "dbus.service", config="[Agent]\nUnit=dbus.socket\n") as where:
        report = get(node, V2, **where).json()
        assert report["role"] == "master"
        names = [c["name"] for c in report["components"]]
        assert "dbus.service" in names and "dbus.socket" not in names
    for name in ("10-a.conf", "20-b.conf", "30-c.txt"):
        (node.root / "etc/diag/test.conf.d" / name).unlink()


@test
def checks_configuration(node):
    "says everything that is wrong with its configuration, where, and ends with 2"
    write(node, "/etc/diag/bad.conf",
          "[Agent]\nRole=king\nTarget=x.service\n\n[Nonsense]\nA=b\n[Judge]\nStuckAfter=soon\n")
    write(node, "/etc/diag/bad.conf.d/more.conf", "[Listen]\nListen=nowhere\nColour=red\n")
    wrong = node.exec("diag-agentd", "--check-config", "--config", "/etc/diag/bad.conf", check=False)
    assert wrong.returncode == 2 and wrong.stdout == ""
    places = re.findall(r"/etc/diag/(\S+?:\d+): ", wrong.stderr)
    assert places == ["bad.conf:2", "bad.conf:3", "bad.conf:5", "bad.conf:8", "bad.conf.d/more.conf:2",
                      "bad.conf.d/more.conf:3"], wrong.stderr
    assert "'king' is no role" in wrong.stderr
    assert node.exec("diag-agentd", "--config", "/etc/diag/bad.conf", check=False).returncode == 2
    assert node.exec("diag-agentd", "--check-config", "--config", "/nowhere.conf", check=False).returncode == 2
    write(node, "/etc/diag/good.conf", "# all is well\n[Agent]\nRole=master\n[X-Other]\nA=b\n")
    right = node.exec("diag-agentd", "--check-config", "--config", "/etc/diag/good.conf")
    assert right.stdout == right.stderr == ""
    assert node.exec("diag-agentd", "--check-config").returncode == 0       # there is no file at all


@test
def takes_options(node):
    "knows its options, and no others"
    assert re.fullmatch(r"diag-agentd \d\S*\n", node.exec("diag-agentd", "--version").stdout)
    assert "--check-config" in node.exec("diag-agentd", "--help").stdout
    for options in (("--nonsense",), ("word",), ("--role", "king"), ("--listen", "nowhere"), ("--unit", "x"),
                    ("--listen",), ("--allow", "all")):
        done = node.exec("diag-agentd", *options, check=False)
        assert done.returncode == 2 and done.stderr, options


# --- identity ---


@test
def knows_itself(node):
    "finds out who it is: address by the route, ids, role and port"
    report = get(node, V2).json()
    boot_id = (node.root / "proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    assert (report["hostname"], report["address"], report["boot_id"]) == ("wire", node.address, boot_id)
    assert re.fullmatch("[0-9a-f]{32}", report["node_id"])
    assert report["node_id"] != (node.root / "etc/machine-id").read_text().strip()
    assert (report["port"], report["role"]) == (1234, "agent")
    assert get(node, V1).json()["ip"] == node.address
    with agent(node, "--role", "master", environment=("DCOS_VERSION=2.1",)) as where:
        assert get(node, V1, **where).json()["dcos_version"] == "2.1"
        assert get(node, V1, **where).json()["node_role"] == "master"


@test
def asks_for_its_address(node):
    "takes its address from the configuration, or from a command that may fail or hang"
    good = write(node, "/var/tell", "#!/bin/sh\necho ' 192.0.2.5 '\n", 0o755)
    cases = {
        f"AddressCommand={good}": "192.0.2.5",
        "Address=192.0.2.9": "192.0.2.9",
        "AddressCommand=/bin/false": "",
        "AddressCommand=/nowhere": "",
        "AddressCommand=/bin/hostname": "",
        "AddressCommand=" + write(node, "/var/hang", "#!/bin/sh\nsleep 4711\n", 0o755): "",
    }
    for line, address in cases.items():
        with agent(node, config=f"[Agent]\n{line}\n") as where:
            eventually(lambda: get(node, V1, **where).json()["ip"] == address, 3)
            begun = time.monotonic()
            answer = get(node, V1, **where)
            assert answer.status == 200 and time.monotonic() - begun < 0.5
            assert [u["id"] for u in answer.json()["units"]] == WATCHED
    assert not node.exec("pgrep", "-f", "sleep 4711", check=False).stdout


# --- life ---


@test
def stops_at_once(node):
    "stops within 2 s of SIGTERM, with 40 requests waiting"
    daemon = start(node, "--listen", "unix:/run/stop.sock", "--listen", "127.0.0.1:1053")
    eventually(lambda: get(node, V1, unix="/run/stop.sock").status == 200)
    etag = get(node, HEALTH, unix="/run/stop.sock").headers["ETag"]
    wheres = [{"unix": "/run/stop.sock"}, {"port": 1053}] * 20
    connections = [node.connection(timeout=10, **where) for where in wheres]
    for c in connections:
        c.request("GET", HEALTH, headers={"If-None-Match": etag, "Prefer": "wait=60"})
    # Answered after all of them have been read, because it came last; and nothing has changed meanwhile.
    assert get(node, V1, {"If-None-Match": etag}, unix="/run/stop.sock").status == 304
    begun = time.monotonic()
    assert daemon.stop(5) == 0
    assert time.monotonic() - begun < STOP_WITHIN
    for c in connections:
        assert c.getresponse().status in (200, 304)
        c.close()
    assert not (node.root / "run/stop.sock").exists()


@test
def does_not_share_sockets(node):
    "leaves a socket alone on which somebody answers, and takes over one that was left behind"
    second = start(node, "--listen", "unix:/run/wire.sock")
    assert second.wait(5) == 1 and "/run/wire.sock" in second.output(), second.output()
    assert get(node, V1).status == 200
    first = start(node, "--listen", "unix:/run/left.sock")
    eventually(lambda: get(node, V1, unix="/run/left.sock").status == 200)
    first.kill()
    assert (node.root / "run/left.sock").exists()
    third = start(node, "--listen", "unix:/run/left.sock")
    eventually(lambda: get(node, V1, unix="/run/left.sock").status == 200)
    assert third.stop(STOP_WITHIN) == 0


@test
def runs_as_anybody(node):
    "needs no privileges: runs in the foreground as nobody and tells the truth"
    daemon = node.start("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                        "diag-agentd", "--target", TARGET, "--listen", "unix:/tmp/x")
    eventually(lambda: get(node, V1, unix="/tmp/x").status == 200)
    mine, theirs = ({n: (c["health"], c["code"]) for n, c in components(node, **where).items()}
                    for where in (LISTENING["unix"], {"unix": "/tmp/x"}))
    assert mine == theirs
    assert daemon.stop(STOP_WITHIN) == 0
    assert not (node.root / "tmp/x").exists()


# --- heads that do not say what they seem to ---


@test
def accounts_for_every_byte(node):
    "refuses a head that somebody else may read differently, and takes nothing behind it for a request"
    maintenance = "/system/health/v2/node/maintenance"
    body = b'{"for_seconds": 60, "reason": "smuggled"}'
    sets = (f"PUT {maintenance} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n").encode()
    smuggled = sets + b"\r\n" + body
    line, host = b"GET /livez HTTP/1.1\r\n", b"Host: localhost\r\n"
    heads = {
        "fold": host + b"X: a\r\n b\r\n\r\n",
        "fold of nothing": host + b"X: a\r\n \r\n\r\n",
        "fold of nothing, LF": host + b"X: a\n \n\n",
        "hidden length": host + b"Content-Length:\r\n %d\r\n\r\n" % len(smuggled),
        "made length": host + b"Content: 5\r\n -Length\r\n\r\nhello",
        "made length, in place": host + b"Content:5\r\n\t-Length\r\n\r\nhello",
        "made chunks": host + b"Transfer: chunked\r\n -Encoding\r\n\r\n0\r\n\r\n",
        "spoilt chunks": host + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n x\r\n\r\nabc",
        "no name": host + b": x\r\n",
        "no name, nothing": host + b":\r\n",
        "no name behind LF": b"Host: localhost\n: x\r\n",
        "NUL in a length": host + b"Content-Length: 5\x00999\r\n\r\nhello",
        "NUL in Host": b"Host: localhost\x00.evil\r\n\r\n",
        "NUL at an end": b"Host: localhost\x00\r\n\r\n",
        "NUL as a line": host + b"\x00x\r\n",
        "LF": b"Host: localhost\nX: a\r\n\r\n",
        "LF in the end": host + b"X: a\n\r\n",
        "LF alone": host + b"\n",
    }
    cases = {what: line + head for what, head in heads.items()}
    cases["NUL in the target"] = b"GET /livez\x00/x HTTP/1.1\r\n" + host + b"\r\n"
    cases["NUL in the method"] = b"G\x00ET /livez HTTP/1.1\r\n" + host + b"\r\n"
    cases["LF behind the request line"] = b"GET /livez HTTP/1.1\n" + host + b"\r\n"
    cases["hidden Origin"] = sets + b"Origin: http://evil\r\n x\r\n\r\n" + body
    for what, data in cases.items():
        raw = node.raw(data + smuggled, timeout=5, **LISTENING["unix"])
        assert re.findall(rb"HTTP/1\.1 \d+", raw) in ([b"HTTP/1.1 400"], []), (what, raw)
        assert not raw or b"\r\nConnection: close\r\n" in raw, (what, raw)
        assert get(node, V2).json()["maintenance"] is None, what
    # It was a request indeed, and heads that are long, have blanks, or come in pieces are none of these.
    good = line + host + b"A:b\r\nC: \t d \r\nE:\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(200)) + b"\r\n"
    raw = node.raw(good * 3 + smuggled + good.replace(b"A:b", b"Connection: close"), timeout=5, **LISTENING["unix"])
    assert len(re.findall(rb"HTTP/1\.1 2\d\d ", raw)) == 5, raw
    assert get(node, V2).json()["maintenance"]["reason"] == "smuggled"
    assert node.request("DELETE", maintenance, **LISTENING["unix"]).status in (200, 204)


@test
def says_goodbye(node):
    "has said nothing alarming all the time, and stops cleanly"
    assert node.agentd.running
    assert node.agentd.stop(STOP_WITHIN) == 0
    assert "error" not in node.agentd.output().lower(), node.agentd.output()


tap.main(node)
