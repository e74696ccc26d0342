#!/usr/bin/env python3
"""Behind a real nginx, as Admin Router of DC/OS has it: over the Unix socket, and over 127.0.0.1:1050; HTTP/1.0."""
import concurrent.futures
import contextlib
import gzip
import json
import time

import tap
from fake_nodes import V1, FakeNodes, go_node, go_unit, node, unit
from node import Node, eventually
from tap import test

V2 = V1 + "/v2"         # the only location that Admin Router has is V1
NGINX = """daemon off; pid /run/nginx.pid; error_log stderr info; events {{}}
http {{
    access_log off; client_body_temp_path /run/nginx-body; proxy_temp_path /run/nginx-proxy;
    fastcgi_temp_path /run/nginx; uwsgi_temp_path /run/nginx; scgi_temp_path /run/nginx;
    upstream by_socket {{ server unix:/run/diag/aggregatord.sock; }}
    upstream by_tcp {{ server 127.0.0.1:1050; }}
    {servers}
}}
"""
SERVER = """
    server {{
        listen {port};
        location /system/health/v1 {{
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_pass http://{upstream};
        }}
    }}
"""
WAYS = {"by_socket": 8080, "by_tcp": 8081}
UNITS = {"dcos.target": "[Unit]\nDescription=What this node is for\n",
         "good.service": "[Service]\nExecStart=/bin/sleep infinity\n"}
ADDRESSES = [f"10.77.1.{n}" for n in range(1, 31)]
FIRST, GO = ADDRESSES[:2]
MANY = [f"dcos-unit-{n:02}.service" for n in range(40)]
READERS = 24


def put(m, health="healthy", seq=1):
    units = [unit(name, health if name == MANY[0] else "healthy") for name in MANY]
    m.fleet.put(FIRST, node(FIRST, units, "master", seq))


@contextlib.contextmanager
def proxied():
    with Node("m1", units=UNITS, links={"dcos.target.wants/good.service": "../good.service"}) as m:
        m.systemctl("start", "dcos.target")
        m.fleet = FakeNodes(m.bed, "10.77.1", len(ADDRESSES))
        put(m)
        m.fleet.put(GO, go_node([go_unit(MANY[0], 1, "line 1\nline <2>")], GO), go=True)
        for address in ADDRESSES[2:]:
            m.fleet.put(address, node(address, [unit(name) for name in MANY]))
        m.agentd = m.start("diag-agentd", "--role", "master")
        m.conf = m.root / "run/aggregatord.conf"
        m.conf.write_text("[Cluster]\nNode=master=127.0.0.1\n" f"Node=master={FIRST}:1050\n" +
                          "".join(f"Node=agent={a}:1050\n" for a in ADDRESSES[1:]))
        m.aggregatord = m.start("diag-aggregatord", "--config", "/run/aggregatord.conf")
        servers = "".join(SERVER.format(port=port, upstream=name) for name, port in WAYS.items())
        (m.root / "run/nginx.conf").write_text(NGINX.format(servers=servers))
        m.nginx = m.start("nginx", "-e", "stderr", "-c", "/run/nginx.conf")
        for port in WAYS.values():
            eventually(lambda: ask(m, port, V2 + "/cluster/ready").status == 200, 20)
        eventually(lambda: all(n["reach"] == "ok" for n in ask(m, 8080, V2 + "/nodes").json()["items"]), 20)
        eventually(lambda: quiet(m), 20)
        yield m
        for daemon in m.agentd, m.aggregatord:
            assert daemon.stop() == 0, daemon.output()


def ask(m, port, url, headers=None, method="GET", body=None, **more):
    return m.request(method, url, {"Host": "127.0.0.1", **(headers or {})}, body, port=port, **more)


def direct(m, url, headers=None, method="GET"):
    return m.request(method, url, headers, unix="/run/diag/aggregatord.sock")


def quiet(m):
    """Nothing differs for a second: it has found out who and where it is itself, too."""
    tag = direct(m, V2 + "/nodes").headers["ETag"]
    return direct(m, V2 + "/nodes", {"If-None-Match": tag, "Prefer": "wait=1"}).status == 304


@test
def same_answers(m):
    "gives by both ways what it gives without a proxy: statuses, types, fields, bodies"
    for url in [V1, V1 + "/nodes", V1 + "/units", V1 + f"/nodes/{GO}", V1 + f"/nodes/{GO}/units/{MANY[0]}",
                V1 + f"/units/{MANY[0]}/nodes", V1 + f"/units/{MANY[0]}/nodes/{GO}", V1 + "/report/download",
                V1 + "/nodes/10.9.9.9", V1 + "/units/none.service/nodes", V1 + "/nothing", V1 + "/nodes/",
                V2 + "/cluster/ready", V2 + "/nodes/none", V2 + "/nothing", V2 + "/nodes?limit=x", V2 + "/node/",
                V2 + "/nodes?fields=inventory&sort=address&limit=2"]:
        for method in "GET", "HEAD":
            want = direct(m, url, method=method)
            for name, port in WAYS.items():
                got = ask(m, port, url, method=method)
                assert got.status == want.status, (name, method, url, got, want)
                for field in ("Content-Type", "Location", "Last-Modified-3DT", "X-Content-Type-Options",
                              "Content-Disposition", "Vary", "Cache-Control", "Content-Length"):
                    if url == V2 + "/nodes?fields=inventory&sort=address&limit=2" and field == "Content-Length":
                        continue        # there are ages in it
                    assert got.headers[field] == want.headers[field], (name, method, url, field, got.headers.items())
                if got.headers["Content-Type"] == "application/json" and "/v2/" in url and method == "GET":
                    assert got.json().keys() == want.json().keys(), (got, want)
                else:
                    assert got.body == want.body, (name, url, got, want)
    for port in WAYS.values():
        assert ask(m, port, V1 + "/nodes", method="POST").status == 405
        assert ask(m, port, "/system/health/v2/cluster").status == 404, "nginx has no such location"
        assert ask(m, port, "/metrics").status == 404


@test
def keeps_paths(m):
    "sends whoever is a slash away to a place that exists behind the proxy, too"
    for port in WAYS.values():
        for url in V1 + "/nodes/", V1 + "/?cache=0", V2 + "/cluster/", V1 + "//nodes", V1 + "/./nodes":
            answer = ask(m, port, url)
            assert answer.status == 301 and answer.headers["Location"].startswith(V1), (url, answer.headers.items())
            assert ask(m, port, answer.headers["Location"]).status == 200, answer.headers["Location"]


@test
def forced(m):
    "asks everybody anew for ?cache"
    for name, port in WAYS.items():
        before, began = len(m.fleet.requests(GO, V1)), time.monotonic()
        answer = ask(m, port, V1 + "/nodes?cache=0", timeout=70)
        assert answer.status == 200 and len(answer.json()["nodes"]) == len(ADDRESSES) + 1
        assert len(m.fleet.requests(GO, V1)) == before + 1
        print(f"# {name}: a forced round took {time.monotonic() - began:.2f} s")


@test
def large(m):
    "passes the whole report on, plain and compressed, to many at once"
    want = direct(m, V1 + "/report").body
    print(f"# /report has {len(want)} bytes")
    assert len(want) > 1 << 20
    for name, port in WAYS.items():
        began = time.monotonic()
        plain = ask(m, port, V1 + "/report")
        between = time.monotonic()
        packed = ask(m, port, V1 + "/report", {"Accept-Encoding": "gzip"})
        print(f"# {name}: plain in {between - began:.2f} s, gzip in {time.monotonic() - between:.2f} s, "
              f"{len(packed.body)} bytes")
        assert plain.body == want and "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.body) == want
        assert packed.headers["Vary"] == "Accept-Encoding" and int(packed.headers["Content-Length"]) == len(packed.body)
        with concurrent.futures.ThreadPoolExecutor(8) as readers:
            at_once = [readers.submit(ask, m, port, V1 + "/report", timeout=30) for _ in range(16)]
            assert all(r.result().body == want for r in at_once)


@test
def waits(m):
    "holds a request for at most 45 seconds, below the proxy's 60, and answers at once when something changes"
    for n, (name, port) in enumerate(WAYS.items()):
        answer = ask(m, port, V2 + "/cluster", {"Prefer": "wait=300"})
        assert answer.headers["Preference-Applied"] == "wait=45", answer.headers.items()
        for _ in range(5):      # the fleet may still get over what the test before did to this machine
            tag, began = answer.headers["ETag"], time.monotonic()
            answer = ask(m, port, V2 + "/cluster", {"If-None-Match": tag, "Prefer": "wait=2"})
            if answer.status == 304:
                break
        assert answer.status == 304 and answer.headers["ETag"] == tag and time.monotonic() - began >= 1.9, answer
        of_nodes = ask(m, port, V2 + "/nodes").headers["ETag"]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = [pool.submit(ask, m, port, url, {"If-None-Match": known, "Prefer": "wait=300"}, timeout=60)
                       for url, known in ((V2 + "/cluster", tag), (V2 + "/nodes", of_nodes))]
            time.sleep(0.3)     # they are on their way; there is nothing to see of it before they end
            assert not any(w.done() for w in waiting), [w.result() for w in waiting]
            changed = time.monotonic()
            put(m, "unhealthy", 2 + 2 * n)
            verdict, nodes = (w.result() for w in waiting)
            print(f"# {name}: a change reached whoever waited after {time.monotonic() - changed:.2f} s")
        assert verdict.json()["health"] == "unhealthy" and verdict.json()["reasons"][0]["address"] == FIRST, verdict
        assert nodes.json()["items"][0]["address"] == FIRST, nodes
        put(m, "healthy", 3 + 2 * n)
        eventually(lambda: ask(m, port, V2 + "/cluster").json()["health"] == "healthy")


@test
def waits_for_its_node(m):
    "holds a request for this node as well, which it passes on"
    for port in WAYS.values():
        answer = ask(m, port, V2 + "/node?fields=health", {"Prefer": "wait=300"})
        assert answer.status == 200 and answer.json()["role"] == "master"
        tag, began = answer.headers["ETag"], time.monotonic()
        answer = ask(m, port, V2 + "/node?fields=health", {"If-None-Match": tag, "Prefer": "wait=2"})
        assert answer.status == 304 and time.monotonic() - began >= 1.9, answer
        assert json.loads(ask(m, port, V1).body)["node_role"] == "master"


def held(m, port):
    """How many of READERS that ask at once may wait for a change."""
    tag = ask(m, port, V2 + "/cluster").headers["ETag"]
    known = {"If-None-Match": tag, "Prefer": "wait=2"}
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        asking = [pool.submit(ask, m, port, V2 + "/cluster", known, timeout=60) for _ in range(READERS)]
        answers = [a.result() for a in asking]
    assert {a.status for a in answers} == {304}, answers
    return sum("Preference-Applied" in a.headers for a in answers)


@test
def crowd(m):
    "lets 8 wait at once of all who come by the proxy, and as many as there are by one that it trusts"
    found = {name: held(m, port) for name, port in WAYS.items()}
    text = m.conf.read_text()
    reload(m, text + f"[Listen]\nTrustedProxy=uid:{worker(m)} grants=health\n")
    trusted = eventually(lambda: held(m, WAYS["by_socket"]) == READERS and READERS, 15)
    print(f"# of {READERS} that asked at once so many were held: {found}, by a trusted proxy {trusted}")
    assert found == {"by_socket": 8, "by_tcp": 8}, found
    reload(m, text)


def worker(m):
    """Who nginx is to those whom it asks."""
    said = m.exec("ps", "-o", "uid=,args=", "-C", "nginx").stdout
    return next(line.split()[0] for line in said.splitlines() if "worker" in line)


@test
def foreign_names(m):
    "refuses over TCP a Host that is not its own, for a page may have been resolved to it, unless it is allowed"
    names = ["master.example.com", "master.example.com:8443", "evil.example"]
    for name in names:
        assert ask(m, WAYS["by_socket"], V1 + "/nodes", {"Host": name}).status == 200, "nobody's browser has the socket"
        answer = ask(m, WAYS["by_tcp"], V1 + "/nodes", {"Host": name})
        assert answer.status == 421, answer
    for name in "127.0.0.1", "10.77.0.11:80", "localhost", "[::1]":
        assert ask(m, WAYS["by_tcp"], V1 + "/nodes", {"Host": name}).status == 200, name
    # Without a name, as an HTTP/1.0 client may be.
    assert b"200 OK" in m.raw(f"GET {V1}/nodes HTTP/1.0\r\n\r\n".encode(), port=1050)
    text = m.conf.read_text()
    for allowed, of_example, of_evil in (("master.example.com", 200, 421), ("*", 200, 200)):
        reload(m, text + f"[Listen]\nAllowedHosts={allowed}\n")
        eventually(lambda: ask(m, WAYS["by_tcp"], V1 + "/nodes", {"Host": names[0]}).status == of_example)
        assert ask(m, WAYS["by_tcp"], V1 + "/nodes", {"Host": names[1]}).status == of_example
        eventually(lambda: ask(m, WAYS["by_tcp"], V1 + "/nodes", {"Host": names[2]}).status == of_evil)
    reload(m, text)
    eventually(lambda: ask(m, WAYS["by_tcp"], V1 + "/nodes", {"Host": names[0]}).status == 421)


def reload(m, text):
    m.conf.write_text(text)
    m.aggregatord.signal(1)


@test
def lends_nothing(m):
    "gives whoever comes by the proxy no more than health, whatever he says of himself, unless the proxy is trusted"
    change = {"Content-Type": "application/json"}
    body = json.dumps({"for_seconds": 60, "reason": "test"})
    claims = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1",
              "Diag-Caller": "operate 1 root"}
    url = V2 + "/node/maintenance"
    for port in WAYS.values():
        for headers in {}, claims:
            assert ask(m, port, url, {**change, **headers}, "PUT", body).status == 403
            assert ask(m, port, V2 + "/node/components/good.service", headers).status == 403
            assert ask(m, port, V2 + "/nodes/127.0.0.1?fields=full", headers).status == 403
            assert ask(m, port, V2 + f"/nodes/{GO}", headers, "DELETE").status == 403
    text = m.conf.read_text()
    reload(m, text + f"[Listen]\nTrustedProxy=uid:{worker(m)} grants=operate\n")
    socket = WAYS["by_socket"]
    eventually(lambda: ask(m, socket, V2 + "/node/components/good.service").status == 200)
    assert ask(m, socket, url, {**change, "Origin": "http://evil.example"}, "PUT", body).status == 403, "a foreign page"
    assert ask(m, socket, url, change, "PUT", body).status == 200
    assert ask(m, socket, url, change, "DELETE").status == 200
    assert ask(m, WAYS["by_tcp"], V2 + "/node/components/good.service").status == 403
    reload(m, text)
    eventually(lambda: ask(m, socket, V2 + "/node/components/good.service").status == 403)


@test
def restarts(m):
    "is the same front door after it was started anew"
    m.aggregatord.stop()
    answer = ask(m, WAYS["by_tcp"], V1 + "/nodes")
    assert answer.status == 502, answer
    m.aggregatord = m.start("diag-aggregatord", "--config", "/run/aggregatord.conf")
    for port in WAYS.values():
        eventually(lambda: ask(m, port, V2 + "/cluster/ready").status == 200, 15)


tap.main(proxied)
