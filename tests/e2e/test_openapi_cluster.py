#!/usr/bin/env python3
"""docs/openapi-cluster.yaml against a running aggregator over a small fleet; openapi.py has what is checked of each
answer. At the end each documented status of each path has been seen."""
import concurrent.futures
import contextlib
import io
import json
import os
import re
import sys
import zipfile
from urllib.parse import quote

# Another python3 may stand before Debian's in PATH; only that one surely has the modules, as they are here.
if sys.executable != "/usr/bin/python3":
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

from jsonschema import ValidationError

import tap
from fake_nodes import FakeNodes, go_node, go_unit, node, unit
from gather_nodes import COLLECT, FILES, TYPES, fragment
from hang import loop_stands
from node import Node, eventually
from openapi import Document, Undocumented, lower, routes_of, samples_of, source, table, tables_of, words_of
from tap import test

SOCKET = "/run/diag/aggregatord.sock"
V1, V2 = "/system/health/v1", "/system/health/v2"
ALIAS = V1 + "/v2"
MASTER, WELL, SICK, GO, TWIN, SLOW, LATER, SILENT = (f"10.77.1.{n}" for n in range(1, 9))
NAMES = {"{unit}": "sick.service", "{ip}": SICK, "{node}": SICK, "{name}": "sick.service", "{id}": "bundle-zip",
         "{file}": "bundle-zip.zip"}
OF_NODE = Document("docs/openapi.yaml")


def example(path):
    for name, there in NAMES.items():
        path = path.replace(name, there)
    return path


DOCUMENT = Document("docs/openapi-cluster.yaml", example, any_request=OF_NODE)
ask, url_of = DOCUMENT.ask, DOCUMENT.url_of
JSON = {"Content-Type": "application/json"}
WORK = json.dumps({"for_seconds": 60, "reason": "new <disk>"})


def answer(body, status=200):
    return [status, "application/json", body if isinstance(body, str) else json.dumps(body)]


# What a node gives to a bundle, and what the other master says of his.
COLLECTED = {f"POST {COLLECT}": [200, TYPES["tar.zst"], fragment(f"{WELL}_agent", FILES).decode("latin-1")],
             f"POST {COLLECT}/estimate": answer({"likely_bytes": 1, "max_bytes": 2, "sources": 1})}
HELD = {f"POST {COLLECT}": None}
LISTED = f"GET {V2}/bundles?own=1"
AS_MASTER = {LISTED: answer({"items": [], "total": 0, "silent": []})}


def put(m, address, units, role="agent", seq=1, answers=None, **more):
    m.fleet.put(address, node(address, units, role, seq, **more), answers=answers or {})


@contextlib.contextmanager
def cluster():
    units = {"dcos.target": "[Unit]\nDescription=What this node is for\n"}
    with Node("m1", units=units) as m:
        m.unix = SOCKET
        m.fleet = FakeNodes(m.bed, "10.77.1", 8)
        put(m, MASTER, [unit("well.service"), unit("only.service")], "master", answers=AS_MASTER)
        put(m, WELL, [unit("well.service"), unit("sick.service")], answers=COLLECTED)
        put(m, SICK, [unit("well.service"), unit("sick.service", "unhealthy", text="exited <with> & status 3"),
                      unit("what.service", "unknown", "no-facts", "nobody knows")], "agent_public", hostname="twin")
        m.fleet.put(GO, go_node([go_unit("sick.service", 1, "line\n<2>")], GO), go=True)
        put(m, TWIN, [unit("well.service")], hostname="twin")
        m.fleet.put(SLOW, {}, slow=2)
        put(m, LATER, [unit("well.service")])
        m.fleet.put(SILENT, status=500)
        (m.root / "run/aggregatord.conf").write_text("[Cluster]\nName=test\nViewMaxAge=5s\n")
        m.agentd = m.start("diag-agentd", "--role", "master")
        words = [w for a in (WELL, GO, TWIN, SILENT) for w in ("--node", f"agent={a}:1050")]
        words += ["--node", f"agent_public={SICK}:1050", "--node", f"master={MASTER}:1050"]
        m.aggregatord = m.start("diag-aggregatord", "--config", "/run/aggregatord.conf", *words)
        eventually(lambda: len(m.get(V2 + "/units").json()["items"]) == 4, 20)
        eventually(lambda: m.get(V2 + "/cluster").json()["view"]["observer"])   # it has found its own node
        make(m, "bundle-zip", format="zip")
        yield m
        for daemon in m.agentd, m.aggregatord:
            assert daemon.stop() == 0, daemon.output()


# --- the document -------------------------------------------------------------------------------------

@test
def is_openapi(_):
    "is a document of OpenAPI 3.1, refers to what exists, and has true examples"
    DOCUMENT.must_be_openapi()
    DOCUMENT.must_refer_to_what_exists()
    assert DOCUMENT.n_true_examples() >= 3


@test
def has_all_routes(_):
    "has every path and method that the daemon has of its own, for whom it has it; the others are in openapi.yaml"
    tables = tables_of("aggregator/aggregator.c")
    own = set().union(*(routes_of(name) for name in tables if name != "node_forward_routes"))
    documented = {(*key, operation["x-class"]) for key, operation in DOCUMENT.operations().items()}
    assert documented == own, documented ^ own
    of_node = {(*key, operation["x-class"]) for key, operation in OF_NODE.operations().items()}
    assert routes_of("node_forward_routes") <= of_node


@test
def has_all_words(_):
    "has every word of the closed lists, and no other"
    assert DOCUMENT.words("Health") == words_of(table("model/health.c", "table"))
    assert DOCUMENT.words("Role") == words_of(table("model/node.c", "roles"))
    text = source("model/member.c") + source("model/snapshot.c") + source("model/verdict.c")
    for name in "Reach", "Source":
        for word in DOCUMENT.words(name):
            assert f'"{word}"' in text, f"{name}: {word}"


# --- bundles ------------------------------------------------------------------------------------------

BUNDLES, OLD, OLDEST = V2 + "/bundles", V1 + "/diagnostics", V1 + "/report/diagnostics"
RELAYS_MAX = 8
OPTIONS = ["--node", f"agent={WELL}:1050", "--node", f"agent={TWIN}:1050"]


def post(m, url, body=None, **where):
    return ask(m, url, "POST", JSON, json.dumps(body) if body is not None else None, **where)


def is_over(m, made, **where):
    of = ask(m, f"{BUNDLES}/{made}", **where).json()
    return of["state"] not in ("queued", "running", "merging") and of


def make(m, made, nodes=(WELL,), state="done", **more):
    answer = post(m, BUNDLES, {"id": made, "nodes": list(nodes), **more})
    assert answer.status == 201 and answer.headers["Location"] == f"{BUNDLES}/{made}", answer
    of = eventually(lambda: is_over(m, made), 20)
    assert of["state"] == state, of
    return of


@contextlib.contextmanager
def held(m, made):
    """While it lasts, this bundle is being made."""
    put(m, TWIN, [unit("well.service")], hostname="twin", answers=HELD)
    assert post(m, BUNDLES, {"id": made, "nodes": [TWIN], "format": "zip"}).status == 201
    eventually(lambda: m.fleet.requests(TWIN, COLLECT))
    try:
        yield
    finally:
        put(m, TWIN, [unit("well.service")], hostname="twin")
        eventually(lambda: is_over(m, made), 20)


def file_of(m, url, **headers):
    return ask(m, url, "GET", {name.replace("_", "-"): value for name, value in headers.items()})


@test
def bundles(m):
    "holds for the life of a bundle, in each of the three APIs"
    of = make(m, "packed", format="tar.gz")
    assert of["nodes"][0]["state"] == "done" and of["sha256"], of
    assert {b["id"] for b in ask(m, BUNDLES).json()["items"]} >= {"packed", "bundle-zip"}
    assert ask(m, BUNDLES + "?own=1").json()["silent"] == []
    for url in f"{BUNDLES}/bundle-zip/file", f"{OLD}/bundle-zip/file", f"{OLDEST}/serve/bundle-zip.zip":
        whole = file_of(m, url)
        assert whole.status == 200 and zipfile.ZipFile(io.BytesIO(whole.body)).testzip() is None, url
        part = file_of(m, url, Range="bytes=2-9")
        assert part.status == 206 and part.body == whole.body[2:10], part
        assert file_of(m, url, Range="bytes=99999999-").status == 416
        assert file_of(m, url, If_None_Match=whole.headers["ETag"]).status == 304
    assert ask(m, f"{BUNDLES}/packed/file").headers["Content-Type"] == "application/gzip"
    assert ask(m, f"{OLD}/packed/file").status == 404, "no zip"
    assert ask(m, f"{BUNDLES}/packed", "DELETE").json()["state"] == "deleted"
    assert ask(m, f"{BUNDLES}/packed/file").status == 410
    assert ask(m, f"{OLD}/own", "PUT", JSON, json.dumps({"masters": True, "agents": False})).status == 200
    eventually(lambda: ask(m, f"{OLD}/own").json()["status"] in ("Done", "Failed"), 20)
    assert ask(m, f"{OLD}/own", "DELETE").status == 200
    assert {b["id"]: b["status"] for b in ask(m, OLD).json()}["own"] == "Deleted"
    assert post(m, OLDEST + "/create", {"nodes": [WELL]}).status == 200
    status = eventually(lambda: not (s := ask(m, OLDEST + "/status").json())["is_running"] and s, 20)
    assert status["status"] == "Diagnostics job successfully collected all data", status
    every = eventually(lambda: len(of := ask(m, OLDEST + "/status/all").json()) > 1 and of)
    assert set(every) == {m.address, MASTER} and not every[MASTER]["is_running"], every
    assert set(ask(m, OLDEST + "/list/all").json()) == {f"{m.address}:1050", f"{MASTER}:1050"}
    name = next(f["file_name"].rpartition("/")[2] for f in ask(m, OLDEST + "/list").json()
                if not f["file_name"].endswith("/bundle-zip.zip"))
    assert post(m, f"{OLDEST}/delete/{name}").status == 200
    assert ask(m, f"{OLDEST}/serve/{name}").status == 404


@test
def refuses_bundles(m):
    "holds for bundles that are not there, that cannot be meant, that there is no room for"
    for method, url in [("GET", "/none"), ("DELETE", "/none"), ("POST", "/none/cancel"), ("GET", "/none/file")]:
        assert ask(m, BUNDLES + url, method).status == 404, url
    for method, url in [("GET", "/none"), ("DELETE", "/none"), ("GET", "/none/file")]:
        assert ask(m, OLD + url, method).status == 404, url
    assert ask(m, OLDEST + "/serve/bundle-none.zip").status == 404
    assert post(m, OLDEST + "/delete/bundle-none.zip").status == 404
    assert post(m, OLDEST + "/delete/none.zip").status == 400
    assert post(m, f"{BUNDLES}/bundle-zip/cancel").json()["reason"] == "ended"
    for url in BUNDLES, BUNDLES + "/estimate":
        for body in {"nodes": ["none-such"]}, {"surprise": 1}, {"format": "rar"}, {"id": "../x"}, []:
            assert post(m, url, body).status == 400, (url, body)
        assert ask(m, url, "POST", {"Content-Type": "text/plain"}, "{}").status == 415
    assert post(m, BUNDLES, {"id": "bundle-zip"}).status == 409
    assert ask(m, f"{OLD}/bundle-zip", "PUT", JSON, "{}").status == 409
    for made, body in ("well", "[]"), (".odd", "{}"):
        assert ask(m, f"{OLD}/{made}", "PUT", JSON, body).status == 400
        assert ask(m, f"{OLD}/{made}", "PUT", {}, body).status == 415
    assert post(m, OLDEST + "/create", []).status == 400
    for nodes in [], ["none-such"]:
        assert post(m, OLDEST + "/create", {"nodes": nodes}).status == 503, nodes
    assert post(m, OLDEST + "/cancel").status == 503
    for body in None, {"nodes": [WELL]}:
        of = ask(m, BUNDLES + "/estimate") if body is None else post(m, BUNDLES + "/estimate", body)
        assert of.status == 200 and {n["address"] for n in of.json()["nodes"]} >= {WELL}, of


@test
def crowded_bundles(m):
    "holds for one bundle at a time: others wait, and then too many do"
    with held(m, "runs"):
        waiting = [f"waits-{n}" for n in range(4)]
        assert {post(m, BUNDLES, {"id": made, "nodes": [WELL]}).status for made in waiting} == {201}
        for crowded in post(m, BUNDLES, {"nodes": [WELL]}), ask(m, f"{OLD}/more", "PUT", JSON, "{}"):
            assert crowded.status == 429 and int(crowded.headers["Retry-After"]) > 0, crowded
        assert post(m, OLDEST + "/create", {"nodes": [WELL]}).status == 409
        assert ask(m, OLDEST + "/status").json()["is_running"]
        for url in f"{BUNDLES}/runs/file", f"{OLD}/runs/file":
            assert ask(m, url).status == 404
        for made in waiting:
            assert post(m, f"{BUNDLES}/{made}/cancel").status == 200
        eventually(lambda: all(is_over(m, made) for made in waiting))
        assert post(m, OLDEST + "/cancel").status == 200
        eventually(lambda: is_over(m, "runs"))
    assert ask(m, f"{BUNDLES}/runs").json()["state"] == "canceled"
    assert ask(m, f"{BUNDLES}/runs/file").status == 410


@test
def bundles_of_others(m):
    "holds for a bundle of another master, who gives it, refuses it, is silent, or says what nobody understands"
    there = ask(m, f"{BUNDLES}/bundle-zip").json()
    theirs = {**there, "id": "bundle-there", "observer": MASTER, "size_bytes": 5000, "state": "done"}
    body = "PK" + "x" * 4998
    url = f"{BUNDLES}/bundle-there"
    no = answer({"code": 503, "error": "this master has no place for bundles", "reason": "no-directory"}, 503)
    ended = answer({"code": 409, "error": "it has ended", "reason": "ended"}, 409)
    says = {LISTED: answer({"items": [theirs], "total": 1, "silent": []}),
            f"GET {url}?own=1": answer(theirs), f"DELETE {url}?own=1": answer({**theirs, "state": "deleted"}),
            f"POST {url}/cancel?own=1": ended, f"GET {url}/file?own=1": [200, "application/zip", body]}

    def master(answers):
        put(m, MASTER, [unit("well.service"), unit("only.service")], "master", answers=answers)

    try:
        master(says)
        assert ask(m, url).json()["observer"] == MASTER
        for old in f"{OLD}/bundle-there", f"{OLD}/bundle-there/file", f"{OLDEST}/serve/bundle-there.zip":
            assert ask(m, old).status == 200, old
        for file in url + "/file", f"{OLD}/bundle-there/file", f"{OLDEST}/serve/bundle-there.zip":
            assert file_of(m, file).body == body.encode()
            part = file_of(m, file, Range="bytes=0-99")
            assert part.status == 206 and part.body == body[:100].encode(), part
            assert file_of(m, file, Range="bytes=5000-").status == 416
            assert m.request("HEAD", file).headers["Content-Length"] == str(len(body))
        master({**says, f"GET {url}/file?own=1": None})
        with contextlib.ExitStack() as stack:
            for _ in range(RELAYS_MAX):
                reader = stack.enter_context(contextlib.closing(m.connection(unix=SOCKET, timeout=30)))
                reader.request("GET", url + "/file")
                assert reader.getresponse().status in (200, 503)        # those before may not have gone yet
            assert ask(m, url + "/file").json()["reason"] == "busy"
        master(says)
        eventually(lambda: ask(m, url + "/file").status == 200)
        assert post(m, url + "/cancel").status == 409
        assert ask(m, f"{OLDEST}/list/all").json()[f"{MASTER}:1050"][0]["file_name"].endswith("/bundle-there.zip")
        assert ask(m, url, "DELETE").json()["state"] == "deleted"
        # Who has it may be the one who cannot say so.
        for refused in {of: no for of in says}, {of: answer("{}") for of in says}:
            master(refused)
            assert {s["address"] for s in ask(m, BUNDLES).json()["silent"]} == {MASTER}
            for method, of in ("GET", url), ("DELETE", url), ("POST", url + "/cancel"), ("GET", url + "/file"):
                assert ask(m, of, method).status == 502, (method, of)
            for method, of in ("GET", ""), ("DELETE", ""), ("GET", "/file"):
                assert ask(m, f"{OLD}/bundle-there{of}", method).status == 500, (method, of)
            assert ask(m, OLD).status == 500 and ask(m, OLDEST + "/status/all").status == 503
            assert ask(m, OLDEST + "/serve/bundle-there.zip").status == 503
            assert post(m, OLDEST + "/delete/bundle-there.zip").status == 503
    finally:
        master(AS_MASTER)


@contextlib.contextmanager
def another(m, name, directory, conf=""):
    """A daemon beside it that has its bundles elsewhere."""
    where, file = {"unix": f"/run/diag/{name}.sock"}, f"run/{name}.conf"
    (m.root / file).write_text("[Cluster]\nName=test\nMastersExpected=1\n" + conf)
    daemon = m.start("env", f"STATE_DIRECTORY={directory}", "diag-aggregatord", "--config", "/" + file, "--listen",
                     f"unix:{where['unix']}", *OPTIONS)
    eventually(lambda: len(m.get(V2 + "/nodes", **where).json()["items"]) == 2, 20)
    yield where
    assert daemon.stop() == 0, daemon.output()


@test
def no_room(m):
    "holds for masters that have no room for a bundle, or no place for any"
    m.exec("mkdir", "/run/small")
    with another(m, "small", "/run/small", "[Bundles]\nFreeFloor=1T\n") as where:
        assert post(m, BUNDLES, {"nodes": [WELL]}, **where).status == 507
        assert ask(m, f"{OLD}/some", "PUT", JSON, "{}", **where).status == 507
        assert post(m, OLDEST + "/create", {"nodes": [WELL]}, **where).status == 503
        assert ask(m, BUNDLES + "/estimate", **where).json()["fits"] is False
    m.exec("mkdir", "-p", "/run/broken/bundles/bundle-odd", "/run/broken/bundles/bundle-gone")
    state = json.loads((m.root / "var/lib/diag/aggregatord/bundles/bundle-zip/state.json").read_text())
    (m.root / "run/broken/bundles/bundle-odd/state.json").write_text("{")
    (m.root / "run/broken/bundles/bundle-gone/state.json").write_text(json.dumps({**state, "id": "bundle-gone"}))
    (m.root / "run/broken/bundles/bundle-gone/file.zip").write_bytes(b"PK" * state["size_bytes"])
    with another(m, "broken", "/run/broken") as where:
        (m.root / "run/broken/bundles/bundle-gone/file.zip").unlink()
        assert ask(m, f"{OLD}/bundle-odd", **where).status == 500
        assert ask(m, f"{BUNDLES}/bundle-gone/file", **where).status == 500
        assert ask(m, f"{OLD}/bundle-gone/file", **where).status == 500
    (m.root / "run/none").write_text("no directory")
    with another(m, "none", "/run/none") as where:
        for answer in [ask(m, BUNDLES + "?own=1", **where), post(m, BUNDLES, {}, **where),
                       post(m, BUNDLES + "/estimate", {}, **where), ask(m, BUNDLES + "/estimate", **where)]:
            assert answer.status == 503 and answer.json()["reason"] == "no-directory", answer
        assert ask(m, f"{OLD}/some", "PUT", JSON, "{}", **where).status == 503
        for url in "/status", "/list":
            assert ask(m, OLDEST + url, **where).status == 503, url


# --- answers ------------------------------------------------------------------------------------------

def gets():
    return [path for (method, path) in DOCUMENT.operations() if method == "GET"]


@test
def answers_each_path(m):
    "holds for each path with GET and HEAD, by each name, over the socket and TCP"
    for path in gets():
        for url in {url_of(path), ALIAS + url_of(path).removeprefix(V2)} if path.startswith(V2) else {url_of(path)}:
            anybody = DOCUMENT.operations()["GET", path]["x-class"] == "health"
            for where in [{}] + anybody * [{"port": 1050}, {"port": 1050, "address": "::1"}]:
                documented = url.replace(ALIAS, V2)
                got, head = m.get(url, **where), m.request("HEAD", url, **where)
                DOCUMENT.check("GET", documented, got.status, lower(got), got.body)
                assert got.status == head.status == 200, (url, got)
                assert not head.body and set(lower(head)) == set(lower(got)), (url, lower(head))
                DOCUMENT.seen.add(("GET", path, got.status))


@test
def v1(m):
    "holds for v1 of each node and unit, for what is not there, and asked anew"
    for n in ask(m, V1 + "/nodes?cache=0").json()["nodes"]:
        ask(m, f"{V1}/nodes/{n['host_ip']}")
        for u in ask(m, f"{V1}/nodes/{n['host_ip']}/units").json()["units"]:
            assert ask(m, f"{V1}/nodes/{n['host_ip']}/units/{u['id']}").json()["health"] == u["health"]
            there = ask(m, f"{V1}/units/{u['id']}/nodes/{n['host_ip']}").json()
            assert there["health"] == n["health"], "of a unit's nodes it is the health of the node"
    for path in gets():
        if "404" in DOCUMENT.operations()["GET", path]["responses"] and path.startswith(V1):
            for name in NAMES:
                if name in path:
                    assert ask(m, url_of(path.replace(name, "none"))).status == 404, path
    assert set(ask(m, V1 + "/report").json()["Nodes"]) == {MASTER, WELL, SICK, GO, TWIN, SILENT}
    assert ask(m, V1 + "/report/download?cache").headers["Content-Disposition"]


@test
def v2(m):
    "holds for v2: filters, pages, forms, by each name of a node"
    total = ask(m, V2 + "/nodes").json()["total"]
    assert total == 6
    for words in ["role=agent", "health=unhealthy", "reach=ok", "reach=never", "component=sick.service",
                  "code=exit-code", "q=10.77", "sort=address", "limit=2", "fields=inventory",
                  "role=master&health=healthy&limit=1"]:
        assert 0 < ask(m, f"{V2}/nodes?{words}").json()["total"] <= total, words
    for words in "health=unhealthy", "code=exit-code", "q=SICK", "sort=name", "limit=1":
        assert ask(m, f"{V2}/units?{words}").json()["items"], words
    for words in "role=agent", "health=healthy", "reach=ok", "code=exit-code", "q=10", "sort=address", "limit=1":
        assert ask(m, f"{V2}/units/sick.service?{words}").json()["nodes"]["items"], words
    for list_of in "/nodes?sort=address&limit=4", "/units?sort=name&limit=3":
        first = ask(m, V2 + list_of).json()
        second = ask(m, f"{V2}{list_of}&after={quote(first['next'])}").json()
        assert second["next"] is None and len(first["items"]) + len(second["items"]) == first["total"], (first, second)
    for row in ask(m, V2 + "/nodes").json()["items"]:
        names = {row["address"], row["node_id"], *row["addresses"]} | ({row["hostname"]} - {"twin", "go", None})
        for name in names:
            assert ask(m, f"{V2}/nodes/{quote(name)}").json()["address"] == row["address"], name
    live = ask(m, f"{V2}/nodes/{WELL}?fields=full").json()
    assert live["live"] is True and live["node"]["node_id"] == live["node_id"], live
    assert ask(m, f"{V2}/nodes/{SILENT}?fields=full").json()["live"] is False
    assert ask(m, f"{V2}/nodes/{WELL}?fields=full", port=1050).status == 403
    of = ask(m, V2 + "/cluster").json()
    assert of["cluster"]["name"] == "test" and of["health"] == "healthy" and of["view"]["observer"] == m.address
    assert ask(m, V2 + "/cluster?view=own").json()["views"] == []
    assert ask(m, V2 + "/cluster/ready?require=quorum").status == 200


@test
def refuses(m):
    "holds for what is asked wrongly"
    for url in ["/cluster?view=x", "/cluster/ready?require=x", "/nodes?role=x", "/nodes?health=x", "/nodes?reach=x",
                "/nodes?limit=0", "/nodes?limit=10001", "/nodes?after=x", "/nodes?sort=x", "/nodes?fields=x",
                f"/nodes/{SICK}?fields=x", "/units?health=x", "/units?limit=x", "/units/sick.service?role=x"]:
        assert ask(m, V2 + url).status == 400, url
    for url in "/nodes/none", "/nodes/addr:10.9.9.9", "/units/none.service", "/nodes/" + "0" * 32:
        assert ask(m, V2 + url).status == 404, url
    for method in "GET", "DELETE":
        assert ask(m, V2 + "/nodes/twin", method).status == 409
    for method in "PUT", "DELETE":
        of = ask(m, V2 + "/nodes/twin/maintenance", method, JSON, WORK if method == "PUT" else None)
        assert {c["address"] for c in of.json()["candidates"]} == {SICK, TWIN} and of.status == 409, of
        assert ask(m, V2 + "/nodes/none/maintenance", method, JSON, WORK if method == "PUT" else None).status == 404
    assert ask(m, V2 + "/nodes/none", "DELETE").status == 404
    assert ask(m, f"{V2}/nodes/{SICK}/maintenance", "PUT", JSON, "{}").status == 400
    assert ask(m, f"{V2}/nodes/{SICK}/maintenance", "PUT", {"Content-Type": "text/plain"}, WORK).status == 415
    assert ask(m, f"{V2}/nodes/{WELL}", "DELETE").json()["reason"] == "static"
    for (method, path), operation in DOCUMENT.operations().items():
        if operation["x-class"] != "health":
            assert ask(m, url_of(path), method, JSON, WORK, port=1050).status == 403, path
    for path in DOCUMENT.content["paths"]:
        # "estimate" is an id, too, of a bundle that there cannot be.
        for method in {"GET", "PUT", "DELETE", "POST", "PATCH"} - {m for m, p in DOCUMENT.operations() if p == path}:
            if (method, path) == ("DELETE", BUNDLES + "/estimate"):
                continue
            assert ask(m, url_of(path), method).status == 405, (method, path)


@test
def waits(m):
    "holds for 304, with and without waiting"
    tagged = [V2 + path for path in ("/cluster", "/cluster?view=own", "/nodes", f"/nodes/{SICK}", "/units",
                                     "/units/sick.service", "/nodes?fields=inventory")]
    for url in tagged:
        def same(headers):
            tag = ask(m, url).headers["ETag"]
            answer = ask(m, url, "GET", {"If-None-Match": tag, **headers})
            assert (answer.status, answer.headers["ETag"]) == (304, tag), answer
            assert answer.headers.get("Preference-Applied") == headers.get("Prefer"), lower(answer)
            return True
        for headers in {}, {"Prefer": "wait=1"}:
            eventually(lambda: same(headers))


@test
def maintenance(m):
    "holds for a node that somebody works on: it acknowledges, and ends"
    url = f"{V2}/nodes/{GO}/maintenance"        # it cannot hold such a flag itself
    answer = ask(m, url, "PUT", JSON, WORK)
    assert answer.status == 200 and answer.json()["maintenance"]["reason"] == "new <disk>", answer
    of = ask(m, f"{V2}/nodes/{GO}").json()
    assert of["maintenance"] == answer.json()["maintenance"] and of["health"] == "unhealthy", of
    assert ask(m, V2 + "/cluster").json()["nodes"]["agent"]["maintenance"] == 1
    assert ask(m, url, "DELETE").status == 200
    assert ask(m, f"{V2}/nodes/{GO}").json()["maintenance"] is None


def announcement(address, **more):
    of = node(address, [])
    said = ("node_id", "boot_id", "address", "hostname", "version", "port", "role")
    return json.dumps({**{key: of[key] for key in said}, **more})


@test
def announces(m):
    "holds for who announces himself, in truth or not, and for who is forgotten then"
    url = V2 + "/announce"
    answer = ask(m, url, "PUT", JSON, announcement(LATER), port=1050)
    assert answer.status == 200 and answer.json()["accepted"] and answer.json()["masters"] == [MASTER], answer
    eventually(lambda: ask(m, f"{V2}/nodes/{LATER}").json().get("reach") == "ok")
    assert ask(m, f"{V2}/nodes/{LATER}", "DELETE").json()["reason"] == "alive"
    for body, status in [("", 400), ("[]", 400), (announcement(LATER, role="king"), 400),
                         (announcement(LATER, port=0), 400), (announcement(MASTER, role="master"), 403),
                         (announcement(LATER, node_id="0" * 32), 422), ("x" * 5000, 413)]:
        assert ask(m, url, "PUT", JSON, body).status == status, body
    with concurrent.futures.ThreadPoolExecutor(80) as crowd:
        many = [crowd.submit(ask, m, url, "PUT", JSON, announcement(SLOW, hostname=f"h{n}")) for n in range(80)]
        assert {a.result().status for a in many} == {422, 429}, "one after the other gets his turn"
    m.fleet.put(LATER, status=500)
    eventually(lambda: ask(m, f"{V2}/nodes/{LATER}").json()["reach"] == "unreachable", 20)
    answer = ask(m, f"{V2}/nodes/{LATER}", "DELETE")
    assert answer.status == 200 and answer.json()["forgotten"] is True, answer
    assert ask(m, f"{V2}/nodes/{LATER}").status == 404


@test
def metrics(m):
    "has the metrics that are documented, here and for the node daemon's server, with these labels, and no others"
    documented = {**OF_NODE.content["x-metrics"], **DOCUMENT.content["x-metrics"]}
    text = ask(m, "/metrics").body.decode()
    samples = samples_of(text, documented)
    there = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    missing = set(DOCUMENT.content["x-metrics"]) - there - {"diag_zookeeper_state"}
    assert not missing and there <= set(documented), (missing, there - set(documented))
    assert samples["diag_cluster_healthy",] == 1 and samples["diag_masters", "expected"] == 1
    assert samples["diag_unit_nodes", "sick.service", "unhealthy"] == 2, samples
    assert samples["diag_node_health", SICK, "agent_public"] == 1 and samples["diag_node_health", SILENT, "agent"] == 3


@test
def notices_differences(m):
    "notices when an answer is not what the document says"
    for url in (V1 + "/nodes", f"{V1}/nodes/{SICK}/units/sick.service", V2 + "/cluster", V2 + "/nodes",
                f"{V2}/nodes/{SICK}", V2 + "/units", V2 + "/units/sick.service"):
        good = ask(m, url)
        headers, value = lower(good), good.json()
        some = next(iter(value.values()))
        row = some[0] if isinstance(some, list) and some else value
        wrong = {f"without {key}": {k: v for k, v in value.items() if k != key} for key in value}
        wrong["a member more"] = {**value, "surprise": 1}
        odd = re.sub(rb'"health":("?)', rb'"health":\g<1>9', good.body)       # 90, or "9healthy"
        wrong["an odd health"] = json.loads(odd)
        if "view" in value:
            wrong["an odd view"] = {**value, "view": {**value["view"], "surprise": 1}}
            wrong["an odd time"] = {**value, "view": {**value["view"], "as_of": "yesterday"}}
        if row is not value:
            key = next(iter(value))
            wrong["a row's member more"] = {**value, key: [{**row, "surprise": 1}, *some[1:]]}
            for name in row:
                short = {k: v for k, v in row.items() if k != name}
                wrong[f"a row without {name}"] = {**value, key: [short, *some[1:]]}
        cases = {name: (200, headers, json.dumps(body).encode()) for name, body in wrong.items() if body != value}
        cases["an undocumented status"] = 202, headers, good.body
        cases["a header more"] = 200, {**headers, "x-surprise": "1"}, good.body
        cases["another type of body"] = 200, {**headers, "content-type": "text/plain"}, good.body
        for name, answer in cases.items():
            try:
                DOCUMENT.check("GET", url, *answer)
            except (ValidationError, Undocumented, ValueError):
                continue
            raise AssertionError(f"{url}: {name} went unnoticed")


@test
def sick(m):
    "holds for a cluster that is not healthy, and for masters that disagree about who they are"
    put(m, MASTER, [unit("well.service", "unhealthy", text="a <b>"), unit("only.service")], "master", 2)
    eventually(lambda: ask(m, V2 + "/cluster").json()["health"] == "unhealthy")
    assert ask(m, V2 + "/cluster/ready").status == 503
    for path in gets():
        ask(m, url_of(path))


@test
def stale(m):
    "holds when the daemon's own loop hangs: nothing is known any more, nothing is done, and everybody is told"
    with loop_stands(m.aggregatord):
        with concurrent.futures.ThreadPoolExecutor(40) as at_once:
            late = [at_once.submit(ask, m, url_of(path) + "?cache", timeout=30) for path in gets()
                    if "504" in DOCUMENT.operations()["GET", path]["responses"]]
            unmade = [at_once.submit(ask, m, url_of(path), method, JSON, "{}" if method in ("POST", "PUT") else None, timeout=40)
                      for (method, path), operation in DOCUMENT.operations().items()
                      if re.search("bundles|diagnostics", path) and not re.search("/file|/serve", path)]
            undone = [at_once.submit(ask, m, url, method, JSON, body, timeout=30) for url, method, body in [
                (f"{V2}/nodes/{WELL}", "DELETE", None), (f"{V2}/nodes/{GO}/maintenance", "PUT", WORK),
                (f"{V2}/nodes/{GO}/maintenance", "DELETE", None), (V2 + "/announce", "PUT", announcement(LATER))]]
            assert {a.result().status for a in late} == {504}, [a.result() for a in late]
            assert {a.result().status for a in unmade} <= {400, 503}, [a.result() for a in unmade]
            assert {a.result().status for a in undone} == {503}, [a.result() for a in undone]

        def verdict():
            of = ask(m, V2 + "/cluster").json()
            return of["reasons"][0]["code"] == "view-stale" and of
        of = eventually(verdict, 15)
        assert of["health"] == "unhealthy" and not of["view"]["complete"], of
        for path in (path for path in gets() if DOCUMENT.operations()["GET", path]["x-class"] != "operate"):
            answer = ask(m, url_of(path), "GET", {"If-None-Match": "*"})
            assert answer.status in (200, 503) and "ETag" not in answer.headers, (path, answer)
        eventually(lambda: ask(m, "/livez").status == 503, 25, every=0.2)
    eventually(lambda: ask(m, "/livez").status == 200)


@test
def has_seen_all(_):
    "has been seen to answer with each status that is documented"
    documented = {(method, path, int(status)) for (method, path), operation in DOCUMENT.operations().items()
                  for status in operation["responses"]}
    print(f"# {len(documented)} statuses of {len(DOCUMENT.operations())} operations")
    # While the loop hangs, a file is waited for too long for a test.
    missing = documented - DOCUMENT.seen - {("GET", OLD + "/{id}/file", 503)}
    assert not missing, sorted(missing)


tap.main(cluster)
