#!/usr/bin/env python3
"""docs/openapi.yaml against a running daemon; openapi.py has what is checked of each answer."""
import concurrent.futures
import contextlib
import copy
import ctypes
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from urllib.parse import quote

# Another python3 may stand before Debian's in PATH; only that one surely has the modules, as they are here.
if sys.executable != "/usr/bin/python3":
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

from jsonschema import ValidationError

import tap
from node import AGENTD_SOCKET, Answer, Node, eventually
from openapi import METHODS, Document, Undocumented, lower, routes_of, samples_of, source, table, tables_of, words_of
from tap import Skip, test

V1, V2, ALIAS = "/system/health/v1", "/system/health/v2/node", "/system/health/v1/v2/node"
COMPONENTS, MAINTENANCE = V2 + "/components", V2 + "/maintenance"
SPELLINGS = [V1, V2, V2 + "?fields=full", V2 + "?fields=health", ALIAS, ALIAS + "?fields=health"]
NAMES = {"{name}": "good.service", "{provider}": "units", "{entity}": "good.service", "{id}": "some"}
DOCUMENT = Document("docs/openapi.yaml", lambda path: re.sub(r"{\w+}", lambda name: NAMES[name[0]], path))
ask, check, operations, url_of = DOCUMENT.ask, DOCUMENT.check, DOCUMENT.operations, DOCUMENT.url_of


@test
def is_openapi(_):
    "is a document of OpenAPI 3.1, and its schemas are schemas"
    DOCUMENT.must_be_openapi()


@test
def refers_to_what_exists(_):
    "refers to what exists, and has nothing that nobody refers to"
    DOCUMENT.must_refer_to_what_exists()


@test
def has_true_examples(_):
    "has examples that are what they are examples of"
    assert DOCUMENT.n_true_examples() >= 4


def routes():
    """(method, path, class) of all that agentd/agent.c serves, aliases and HEAD included."""
    found = set().union(*map(routes_of, tables_of("agentd/agent.c")))
    aliases = re.findall(r'\{\s*"(/[^"]*)",\s*"(/[^"]*)"\s*\}', table("api/v2_node.c", "v2_aliases"))
    assert aliases
    found |= {(m, prefix + p.removeprefix(meant), least) for prefix, meant in aliases
              for m, p, least in found if p.startswith(meant + "/")}
    return found | {("HEAD", p, least) for m, p, least in found if m == "GET"}


@test
def has_all_routes(_):
    "has every path and method that the daemon has, for whom it has it, and no other"
    documented = {(*key, operation["x-class"]) for key, operation in operations().items()}
    assert documented == routes(), documented ^ routes()


@test
def has_all_words(_):
    "has every word of the closed lists, and no other"
    assert DOCUMENT.words("Code") == set(re.findall(r'X\(\w+, "([^"]+)"\)', source("model/code.h")))
    assert DOCUMENT.words("Health") == words_of(table("model/health.c", "table"))
    assert DOCUMENT.words("Role") == words_of(table("model/node.c", "roles"))
    assert DOCUMENT.words("Phase") == words_of(table("model/report.c", "phases"))
    assert DOCUMENT.words("Expect") == words_of(table("model/unit.c", "expect_words"))


def ask_all(node, **where):
    """Every spelling, GET and HEAD; what the full form says."""
    for url in SPELLINGS:
        got, head = ask(node, url, **where), ask(node, url, "HEAD", **where)
        assert (got.status, head.status) == (200, 200)
        assert set(lower(head)) == set(lower(got)), lower(head)
    return ask(node, V2, **where).json()


def scrape(node, **where):
    """All samples of /metrics; see samples_of()."""
    text, documented = ask(node, "/metrics", **where).body.decode(), DOCUMENT.content["x-metrics"]
    assert sorted(re.findall(r"^# TYPE (\S+) ", text, re.M)) == sorted(documented), text
    return samples_of(text, documented)


# --- a node in many states ----------------------------------------------------------------------------

WANTED = {
    "good.service": "[Unit]\nDescription=Good: as it should be\n[Service]\nType=notify\nNotifyAccess=all\n"
                    "ExecStart=/bin/sh -c 'systemd-notify --ready --status=\"<fine>\"; exec sleep infinity'\n",
    "job.timer": "[Timer]\nOnActiveSec=1d\n",
    "mnt-a.mount": "[Mount]\nWhat=tmpfs\nWhere=/mnt/a\nType=tmpfs\n",
    "skipped.service": "[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/true\n",
}
LATER = {
    "exit.service": "[Service]\nExecStart=/bin/sh -c 'echo \"a <tag> & more\"; exit 3'\n",
    "killed.service": "[Service]\nExecStart=/bin/sh -c 'kill -KILL $$$$'\n",
    "loop.service": "[Unit]\nStartLimitIntervalSec=0\n"
                    "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=100ms\n",
    "slow.service": "[Service]\nType=notify\nExecStart=/bin/sleep infinity\n",
    "broken.service": "[Service]\nType=simple\n",
    "stopped.socket": "[Socket]\nListenStream=/run/stopped.sock\nService=good.service\n",
}
OTHER = {
    "dcos.target": "[Unit]\nDescription=What this node is for\n",
    "empty.target": "[Unit]\nDescription=Nothing\n",
    "job.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    # Keeps the bus for some seconds when the machine goes down.
    "holds-up.service": "[Unit]\nAfter=dbus.service\n[Service]\nExecStart=/bin/sleep infinity\n"
                        "ExecStop=/bin/sleep 10\n",
}


@contextlib.contextmanager
def booted():
    links = {f"dcos.target.wants/{name}": f"../{name}" for name in [*WANTED, "job.service"]}
    with Node("openapi", units={**WANTED, **LATER, **OTHER}, links=links) as node:
        (node.root / "run/diag").mkdir(exist_ok=True)
        node.systemctl("start", "holds-up.service")
        yield node


def start(node, *options, path=AGENTD_SOCKET):
    return node.start("diag-agentd", "--listen", f"unix:{path}", *options)


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_SEIZE, _INTERRUPT, _DETACH, _WALL = 0x4206, 0x4207, 17, 0x40000000


def _ptrace(what, pid):
    if _libc.ptrace(what, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@contextlib.contextmanager
def loop_hangs(daemon):
    """Hold its main thread, which is the loop, while the others go on."""
    pid = daemon.pid
    _ptrace(_SEIZE, pid)
    try:
        _ptrace(_INTERRUPT, pid)
        os.waitpid(pid, _WALL)
        yield
    finally:
        _ptrace(_DETACH, pid)


@test
def before_systemd_answers(node):
    "holds while systemd hangs from the beginning: starting, then unknown"
    os.kill(node.init, signal.SIGSTOP)
    try:
        node.agentd = start(node, "--listen", f"{node.address}:1050", "--insecure", "--allow", "192.0.2.0/24")
        eventually(lambda: node.unix_socket().close() or True)
        began = time.monotonic()
        full = ask(node, V2).json()
        assert full["phase"] == "starting" and 1.5 < time.monotonic() - began < 3, full
        full = eventually(lambda: (f := ask(node, V2).json())["phase"] == "running" and f, timeout=20, every=0.5)
        assert full["health"] == "unknown" and full["counts"]["unknown"] == len(full["components"]) > 0, full
        ask_all(node)
    finally:
        os.kill(node.init, signal.SIGCONT)


@test
def healthy(node):
    "holds for a healthy node"
    node.systemctl("start", "dcos.target")

    def settled():
        full = ask_all(node)
        codes = {c["code"] for c in full["components"]}
        assert full["health"] == "healthy" and codes >= {"ok", "armed", "skipped"}, full
        return full

    assert eventually(settled, timeout=20)["reasons"] == []


@test
def not_modified(node):
    "holds for 304, with and without waiting, and for each spelling's tag"
    for url in SPELLINGS:
        tag = ask(node, url).headers["ETag"]
        assert tag.startswith("W/") == ("fields=health" not in url), tag
        for method in "GET", "HEAD":
            for headers in {}, {"Prefer": "wait=1"}:
                answer = ask(node, url, method, {"If-None-Match": tag, **headers})
                assert answer.status == 304 and not answer.body
                assert answer.headers.get("Preference-Applied") == headers.get("Prefer")
                assert answer.headers["ETag"] == tag


@test
def component(node):
    "holds for each component by itself, for its tag, and for one that is not there"
    full = ask(node, V2).json()
    for of in full["components"]:
        for base in V2, ALIAS:
            url = f"{base}/components/{quote(of['name'])}"
            answer, head = ask(node, url), ask(node, url, "HEAD")
            assert (answer.status, head.status) == (200, 200) and answer.json() == of, (answer, of)
        tag = answer.headers["ETag"]
        assert tag == f'W/"{full["instance"]}.{full["seq"]}"', tag
        for headers in {}, {"Prefer": "wait=1"}:
            assert ask(node, url, "GET", {"If-None-Match": tag, **headers}).status == 304
    for headers in {}, {"If-None-Match": tag}, {"If-None-Match": "*"}:
        answer = ask(node, COMPONENTS + "/none.service", "GET", headers)
        assert (answer.status, answer.json()["reason"]) == (404, "no-such-component"), answer


@test
def metrics(node):
    "holds for figures: they say what the report says"
    full, samples = ask(node, V2).json(), scrape(node)
    assert samples["diag_build_info", full["version"]] == 1
    assert samples["diag_node_healthy",] == (full["health"] == "healthy")
    assert samples["diag_node_maintenance",] == 0 and samples["diag_facts_age_seconds",] < 45
    for of in full["components"]:
        assert samples["diag_component_healthy", of["name"]] == (of["health"] == "healthy"), of
        assert samples["diag_component_unknown", of["name"]] == (of["health"] == "unknown"), of
        if of["name"].endswith(".service"):
            assert samples["diag_unit_restarts_total", of["name"]] == of["unit"]["restarts"], of
    assert samples["diag_http_requests_total", "200"] > 0 and samples["diag_http_parked_limit",] > 0
    assert sum(v for key, v in samples.items() if key[0] == "diag_http_connections") >= 1, samples


@test
def unhealthy(node):
    "holds for an unhealthy node with components of many kinds"
    for name in [*LATER, "gone.service"]:
        node.link_unit(f"dcos.target.wants/{name}", f"../{name}")
    node.link_unit("hidden.service", "/dev/null")
    node.link_unit("dcos.target.wants/hidden.service", "../hidden.service")
    node.systemctl("daemon-reload")
    node.systemctl("start", "--no-block", *(n for n in LATER if n != "stopped.socket"), check=False)
    want = {"exit-code", "signal", "crash-loop", "starting", "bad-unit-file", "not-found", "masked", "stopped"}

    def shows_all():
        full = ask_all(node)
        codes = {c["code"] for c in full["components"]}
        assert full["health"] == "unhealthy" and codes >= want, want - codes
        return "tag" in json.dumps([c["output"] for c in full["components"]])

    eventually(shows_all, every=0.2)
    text = node.get(V2).body
    assert b"\\u003ctag\\u003e \\u0026 more" in text and b"<tag>" not in text


def put(node, body, content_type="application/json", **where):
    return ask(node, MAINTENANCE, "PUT", {"Content-Type": content_type}, json.dumps(body), **where)


@test
def maintenance(node):
    "holds for maintenance: it wakes who waits, acknowledges every reason, and ends"
    before = ask(node, V2)
    assert before.json()["maintenance"] is None
    waiting = node.connection(timeout=70)
    waiting.request("GET", V2 + "?fields=health",
                    headers={"If-None-Match": before.headers["ETag"], "Prefer": "wait=60"})
    answer = put(node, {"for_seconds": 3600.5, "reason": "new <disk>"})
    flag = answer.json()["maintenance"]
    assert answer.status == 200 and (flag["by"], flag["reason"]) == ("uid 0", "new <disk>"), answer
    full = ask_all(node)
    assert full["maintenance"] == flag and full["health"] == before.json()["health"] == "unhealthy", full
    assert full["reasons"] and all(r["acknowledged"] for r in full["reasons"]), full
    assert scrape(node)["diag_node_maintenance",] == 1 and scrape(node)["diag_node_healthy",] == 0
    woken = Answer(waiting.getresponse())
    while woken.json()["maintenance"] is None:      # another change may have come first
        woken = ask(node, V2 + "?fields=health", "GET", {"If-None-Match": woken.headers["ETag"], "Prefer": "wait=9"})
    assert woken.json()["maintenance"] == flag, woken
    shorter = put(node, {"for_seconds": 60, "reason": "x", "unknown": []}, "application/json; charset=utf-8")
    assert shorter.status == 200 and shorter.json()["maintenance"]["until"] < flag["until"], shorter
    for _ in range(2):
        answer = ask(node, MAINTENANCE, "DELETE")
        assert answer.status == 200 and answer.json() == {"maintenance": None}, answer
    full = ask_all(node)
    assert full["maintenance"] is None and not any(r["acknowledged"] for r in full["reasons"]), full


@test
def refuses_odd_maintenance(node):
    "holds for what nobody can mean, and nothing changes by it"
    before = ask(node, V2).json()["maintenance"]
    for body, says in [({}, "for_seconds"), ([], "object"), ({"for_seconds": "1h", "reason": "x"}, "for_seconds"),
                       ({"for_seconds": 0, "reason": "x"}, "for_seconds"), ({"for_seconds": 1}, "reason"),
                       ({"for_seconds": 604801, "reason": "x"}, "for_seconds"),
                       ({"for_seconds": 1, "reason": "a\nb"}, "reason"), ({"for_seconds": 1, "reason": ""}, "reason"),
                       ({"for_seconds": 1, "reason": "x" * 257}, "reason")]:
        answer = put(node, body)
        assert (answer.status, answer.json()["reason"]) == (400, "bad-request"), (body, answer)
        assert says in answer.json()["error"], answer
    assert put(node, {"for_seconds": 1, "reason": "x"}, "text/plain").status == 415
    assert ask(node, MAINTENANCE, "PUT").status == 400
    assert ask(node, V2).json()["maintenance"] == before is None


@test
def disk_full(node):
    "holds when maintenance cannot be written down: 507, and nothing has changed"
    where, folder = "/run/diag/full.sock", "/run/full"
    node.exec("mkdir", folder)
    node.exec("mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "tmpfs", folder)
    daemon = node.start("env", f"STATE_DIRECTORY={folder}", "diag-agentd", "--listen", f"unix:{where}")
    eventually(lambda: ask(node, V2, unix=where).json()["phase"] == "running")
    assert put(node, {"for_seconds": 60, "reason": "small"}, unix=where).status == 200
    node.exec("sh", "-c", f"yes >{folder}/fill", check=False)
    answer = put(node, {"for_seconds": 60, "reason": "large" * 40}, unix=where)
    assert (answer.status, answer.json()["reason"]) == (507, "no-space"), answer
    assert ask(node, V2, unix=where).json()["maintenance"]["reason"] == "small"
    assert daemon.stop() == 0


# --- what bundles need of it ---------------------------------------------------------------------------

COLLECT, LOGS, OLD = V2 + "/collect", V1 + "/logs", V1 + "/node/diagnostics"
PREFIX = "10.0.0.9_agent"
FAILS, SLOW = ["sh", "-c", "exit 3"], ["sh", "-c", "sleep 60"]
PLAN = {"LocalFiles": [{"Location": "/etc/os-release"}], "LocalCommands": [{"Command": FAILS}]}
RULES = "etc/diag/bundle.d/20-test.json"


def name_of(command):
    return "_".join(command).replace("/", "") + ".output"


def post(node, url, body, headers=None, **where):
    return ask(node, url, "POST", {"Content-Type": "application/json", **(headers or {})}, json.dumps(body), **where)


def collects(node, plan):
    (node.root / RULES).parent.mkdir(parents=True, exist_ok=True)
    (node.root / RULES).write_text(plan if isinstance(plan, str) else json.dumps(plan))


@contextlib.contextmanager
def collector(node):
    """PID 1 starts collectors, while it lasts."""
    if not (Path(os.environ.get("DIAG_INSTALL", "/")) / "usr/libexec/diag/diag-collect").exists():
        raise Skip("DIAG_INSTALL names no installed collector")
    collects(node, PLAN)
    node.systemctl("start", "diag-collect.socket")
    try:
        yield
    finally:
        node.systemctl("stop", "diag-collect.socket")
        (node.root / RULES).unlink()


@contextlib.contextmanager
def slow(node):
    """While it lasts, a collection does not end by itself; what is there of its answer is not read."""
    collects(node, {"LocalCommands": [{"Command": SLOW, "Timeout": "5min"}]})
    connection = node.connection(timeout=60)
    body = json.dumps({"prefix": PREFIX, "ids": [{"kind": "command", "id": name_of(SLOW)}]})
    connection.request("POST", COLLECT, body, {"Content-Type": "application/json"})
    with contextlib.closing(connection):
        assert connection.getresponse().status == 200
        yield
    collects(node, PLAN)
    eventually(lambda: not node.exec("pgrep", "-x", "diag-collect", check=False).stdout)


@test
def collections(node):
    "holds for fragments and estimates, and for what is not collected"
    with collector(node):
        for kind in "zstd", "gzip":
            wanted = {"Accept": "application/vnd.diag.fragment+" + kind}
            of = post(node, COLLECT, {"prefix": PREFIX, "kinds": ["file"]}, wanted)
            assert (of.status, of.headers["Content-Type"]) == (200, wanted["Accept"]), of
        assert post(node, COLLECT + "/estimate", {}).json()["max_bytes"] > 0
        for url in COLLECT, COLLECT + "/estimate":
            for body, status in [([], 400), ({"prefix": PREFIX, "path": "/etc/shadow"}, 400), ({"format": "zip"}, 400),
                                 ({"prefix": PREFIX, "ids": [{"kind": "file", "id": "/etc/shadow"}]}, 404)]:
                assert post(node, url, body).status == status, (url, body)
            assert post(node, url, {"prefix": PREFIX}, {"Content-Type": "text/plain"}).status == 415
        assert post(node, COLLECT, {"prefix": PREFIX, "redact": False}).status == 403
        with slow(node):
            assert post(node, COLLECT, {"prefix": PREFIX}).status == 429
        with concurrent.futures.ThreadPoolExecutor(40) as crowd:
            many = [crowd.submit(post, node, COLLECT + "/estimate", {}) for _ in range(40)]
            assert {a.result().status for a in many} <= {200, 429}, [a.result() for a in many]
        collects(node, "{")
        for url in COLLECT, COLLECT + "/estimate":
            assert post(node, url, {"prefix": PREFIX}).json()["reason"] == "bad-configuration"
    for url in COLLECT, COLLECT + "/estimate":
        assert post(node, url, {"prefix": PREFIX}).json()["reason"] == "collector-unavailable"


@test
def logs(node):
    "holds for what can be had one by one"
    with collector(node):
        for method in "GET", "HEAD":
            assert ask(node, LOGS, method).status == 200
            for name, status in [("files/etc_os-release", 200), ("units/good.service", 200), ("files/etc_shadow", 503),
                                 ("cmds/" + quote(name_of(FAILS)), 503), ("other/x", 503)]:
                assert ask(node, f"{LOGS}/{name}", method).status == status, (method, name)
    for method in "GET", "HEAD":
        assert ask(node, f"{LOGS}/files/etc_os-release", method).status == 503


def old(node, made, method="GET", **where):
    return ask(node, f"{OLD}/{made}", method, {}, "{}" if method == "PUT" else None, **where)


@test
def zips(node):
    "holds for zips of the node, in the old API"
    with collector(node):
        assert old(node, "some", "PUT").json()["type"] == "Local"
        eventually(lambda: old(node, "some").json()["status"] == "Done", 30)
        whole = ask(node, OLD + "/some/file")
        for method in "GET", "HEAD":
            for headers, status in [({}, 200), ({"Range": "bytes=0-9"}, 206), ({"Range": "bytes=99999999-"}, 416),
                                    ({"If-None-Match": whole.headers["ETag"]}, 304)]:
                assert ask(node, OLD + "/some/file", method, headers).status == status, (method, headers)
            assert old(node, "none", method).status == 404 == ask(node, OLD + "/none/file", method).status
            assert ask(node, OLD, method).status == 200
        assert ask(node, OLD + "/other", "PUT", {"Content-Type": "text/plain"}, "{}").status == 415
        assert old(node, "some", "PUT").status == 409 and old(node, ".odd", "PUT").status == 400
        assert old(node, "none", "DELETE").status == 404
        with slow(node):
            waiting = [f"waits-{n}" for n in range(5)]
            assert {old(node, made, "PUT").status for made in waiting} == {200}
            crowded = old(node, "more", "PUT")
            assert crowded.status == 429, crowded
            assert ask(node, OLD + "/waits-0/file").status == 404
            for made in waiting:
                assert old(node, made, "DELETE").status == 200
        assert old(node, "some", "DELETE").json()["status"] == "Deleted"
        for method in "GET", "HEAD":
            assert ask(node, OLD + "/some/file", method).status == 410


@test
def zips_without_room(node):
    "holds for zips when there is no place for any, and for one of which nothing is known"
    where, path = {"unix": "/run/diag/broken.sock"}, "/run/broken"
    (node.root / "run/broken/bundles/odd").mkdir(parents=True)
    (node.root / "run/broken/bundles/odd/state.json").write_text("{")
    daemon = node.start("env", f"STATE_DIRECTORY={path}", "diag-agentd", "--listen", f"unix:{where['unix']}")
    eventually(lambda: ask(node, V2, **where).json()["phase"] == "running")
    for method in "GET", "HEAD":
        assert old(node, "odd", method, **where).status == 500 == ask(node, OLD + "/odd/file", method, **where).status
    with loop_hangs(daemon), concurrent.futures.ThreadPoolExecutor(16) as at_once:
        busy = [at_once.submit(ask, node, url_of(path), method, {"Content-Type": "application/json"},
                               "{}" if method in ("POST", "PUT") else None, timeout=45, **where)
                for method, path in of_bundles() if path.startswith(OLD) and not path.endswith("/file")]
        assert {a.result().status for a in busy} == {503}, [a.result() for a in busy]
    assert daemon.stop() == 0
    (node.root / "run/none").write_text("no directory")
    daemon = node.start("env", "STATE_DIRECTORY=/run/none", "diag-agentd", "--listen", f"unix:{where['unix']}")
    eventually(lambda: ask(node, V2, **where).json()["phase"] == "running")
    for method, path in of_bundles():
        if path.startswith(OLD):        # of one that is asked for by its name, nobody can tell
            headers, body = {"Content-Type": "application/json"}, "{}" if method == "PUT" else None
            assert ask(node, url_of(path), method, headers, body, **where).status in (500, 507), path
    assert daemon.stop() == 0


def of_bundles():
    return [(method, path) for method, path in operations() if re.search("/collect|/logs|/diagnostics", path)]


PROBES = """
[Component web]
Title=Web
[Probe fine]
Component=web
Kind=exec
Command=/bin/sh -c "echo fine"
Interval=1s
[Probe sad]
Component=web
Kind=exec
Command=/bin/sh -c "echo 'a <sad> one'; exit 2"
Interval=1s
FailAfter=2
[Probe later]
Component=good.service
Kind=tcp
Address=127.0.0.1:9
Interval=1h
FailAfter=60
"""


@test
def probes(node):
    "holds for components that are asked themselves"
    where, file = "/run/diag/probes.sock", "/run/probes.conf"
    (node.root / file[1:]).write_text(PROBES)
    daemon = start(node, "--config", file, path=where)

    def web():
        full = ask_all(node, unix=where)
        found = {c["name"]: c for c in full["components"]}
        assert found["web"]["health"] == "unhealthy" and found["good.service"]["probes"], full
        return found["web"]

    of = eventually(web, timeout=20, every=0.2)
    assert (of["kind"], of["unit"], of["title"], of["code"]) == ("probe", None, "Web", "probe-failed"), of
    fine, sad = of["probes"]
    assert (fine["name"], fine["health"], fine["code"], fine["output"]) == ("fine", "healthy", "ok", "fine\n"), fine
    assert sad["health"] == "unhealthy" and sad["window"].startswith("00") and sad["fail_after"] == 2, sad
    assert ask(node, COMPONENTS + "/web", unix=where).json()["name"] == "web"
    samples = scrape(node, unix=where)
    assert samples["diag_probe_healthy", "web", "fine"] == 1 and samples["diag_probe_healthy", "web", "sad"] == 0
    assert samples["diag_probe_duration_seconds", "web", "sad"] > 0
    assert ("diag_unit_restarts_total", "web") not in samples
    assert daemon.stop() == 0


@test
def without_components(node):
    "holds for a node that has nothing to watch"
    where = "/run/diag/empty.sock"
    daemon = start(node, "--target", "empty.target", "--role", "master", path=where)
    eventually(lambda: ask(node, V2, unix=where).json()["phase"] == "running")
    full = ask_all(node, unix=where)
    assert (full["health"], full["components"], full["role"]) == ("unknown", [], "master")
    assert [r["code"] for r in full["reasons"]] == ["no-components"]
    assert [u["id"] for u in ask(node, V1, unix=where).json()["units"]] == ["empty.target"]
    assert daemon.stop() == 0


@test
def without_a_bus(node):
    "holds when there is no bus"
    where = "/run/diag/no-bus.sock"
    daemon = node.start("env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere", "diag-agentd", "--listen",
                        f"unix:{where}")
    eventually(lambda: ask(node, V2, unix=where).json()["phase"] == "running")
    full = ask_all(node, unix=where)
    assert full["health"] == "unknown" and full["system"]["confirmed_age_seconds"] is None, full
    assert daemon.stop() == 0


@test
def errors(node):
    "holds for what is refused, of known paths and of others"
    for method, url, status in [
            ("GET", "/", 404), ("GET", "/system/health", 404), ("POST", "/nowhere", 404), ("HEAD", "/nowhere", 404),
            ("GET", V2 + "/x", 404), ("GET", ALIAS + "/x", 404),
            ("GET", V2 + "?fields=x", 400), ("GET", V2 + "?fields=", 400), ("HEAD", V2 + "?fields", 400),
            ("GET", V1 + "?fields=x&cache=0", 200),
            ("GET", MAINTENANCE, 405), ("POST", MAINTENANCE, 405), ("PUT", V2, 405), ("POST", "/livez", 405),
            ("GET", COMPONENTS, 404), ("GET", COMPONENTS + "/none.service", 404), ("GET", "/metrics/", 301),
            ("GET", "/%zz", 400), ("GET", "/%00", 400), ("OPTIONS", "*", 400),
            ("GET", "/" + "a" * 2047, 414),
            ("GET", V1 + "/", 301), ("HEAD", V1 + "/", 301), ("GET", V2 + "/?fields=health", 301),
            ("GET", "//system/health/v1", 301), ("GET", "/system/./health/v1", 301),
            ("GET", "/system/%2e%2e/system/health/v1", 301), ("POST", V1 + "/", 405)]:
        assert ask(node, url, method).status == status, (method, url)
    assert ask(node, V1, "GET", {"Transfer-Encoding": "gzip"}).status == 501
    assert ask(node, V1, "POST", {"Content-Length": "70000"}).status == 413
    assert ask(node, V1, "GET", {"Bad Name": "x"}).status == 400


@test
def answers_every_operation(node):
    "answers every documented path and method, and says 405 to the other methods"
    for path in DOCUMENT.content["paths"]:
        for method in METHODS:
            operation = operations().get((method, path), {})
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            body = json.dumps(content["example"]) if content else None
            answer = ask(node, url_of(path), method, {"Content-Type": "application/json"} if body else {}, body)
            # Here nobody starts collectors; and a bundle is there only once it was made.
            well = [503] if re.search("/node/collect|/v1/logs", path) else [200, 404, 409, 410] if "{id}" in path else [200]
            assert answer.status in (well if operation else [405]), (method, path, answer)


@test
def forbidden(node):
    "holds for a client that may not ask"
    for method, path in operations():
        answer = ask(node, url_of(path), method, port=1050, address=node.address)
        assert answer.status == 403, answer


@test
def classes(node):
    "lets a class of callers do what it may, and no more"
    where = "/run/diag/classes.sock"
    daemon = start(node, "--listen", "127.0.0.1:1060", "--listen", f"{node.address}:1061", "--insecure",
                   "--allow", "10.77.0.0/24", path=where)
    eventually(lambda: ask(node, V2, unix=where).json()["phase"] == "running")
    for address, port in ("127.0.0.1", 1060), (node.address, 1061):
        tcp = {"port": port, "address": address}
        for (method, path), operation in operations().items():
            want = 200 if operation["x-class"] == "health" else 403
            assert ask(node, url_of(path), method, **tcp).status == want, (address, method, path)
        assert ask(node, V2, "GET", {"Host": "stranger.example"}, **tcp).status == 421
    outputs = [[c["output"] for c in ask_all(node, port=port, address=address)["components"]]
               for address, port in [("127.0.0.1", 1060), (node.address, 1061)]]
    assert any(outputs[0]) and not any(outputs[1]), outputs
    units = ask(node, V1, port=1061, address=node.address).json()["units"]
    assert all(u["output"].count("\n") <= 1 for u in units), units
    assert ask(node, MAINTENANCE, "DELETE", unix=where).status == 200
    assert daemon.stop() == 0


@test
def has_seen_all_of_bundles(_):
    "has been seen to answer about bundles with each status that is documented, but for those that take a minute"
    documented = {(method, path, int(status)) for method, path in of_bundles() if ALIAS not in path
                  for status in operations()[method, path]["responses"] if status != "504"}
    documented -= {(method, OLD + "/{id}/file", 503) for method in ("GET", "HEAD")}     # half a minute, too
    missing = documented - {(method, path.replace(ALIAS, V2), status) for method, path, status in DOCUMENT.seen}
    assert not missing, sorted(missing)


@test
def notices_differences(node):
    "notices when an answer is not what the document says"
    for url in SPELLINGS:
        good = ask(node, url)
        headers, value = lower(good), good.json()
        components = value.get("components") or value["units"]
        bad = next(c for c in components if c["health"] in ("unhealthy", 1))
        check("GET", url, 200, headers, good.body)

        def body(where, key, to):
            changed = copy.deepcopy(value)
            target = changed if where is value else next(
                c for c in changed.get("components") or changed["units"] if c == bad)
            if to is None:
                del target[key]
            else:
                target[key] = to
            return 200, headers, json.dumps(changed).encode()

        wrong = {f"without {key}": body(value, key, None) for key in value}
        wrong |= {f"component without {key}": body(bad, key, None)
                  for key in bad if key not in ("code", "text") or "health" not in url.partition("?")[2]}
        wrong["a member more"] = body(value, "surprise", 1)
        wrong["a component's member more"] = body(bad, "surprise", 1)
        wrong["another type"] = body(value, "hostname", 7)
        wrong["an odd health"] = body(bad, "health", "fine")
        if "code" in bad:
            wrong["an odd code"] = body(bad, "code", "gremlins")
        if "phase" in value:
            wrong["an odd time"] = body(value, "since", "yesterday")
            wrong["an odd role"] = body(value, "role", "king")
        wrong["an undocumented status"] = 202, headers, good.body
        wrong["no body"] = 200, headers, b""
        wrong["another type of body"] = 200, {**headers, "content-type": "text/plain"}, good.body
        wrong["a header more"] = 200, {**headers, "x-surprise": "1"}, good.body
        wrong["an odd tag"] = 200, {**headers, "etag": '"1"'}, good.body
        wrong["no caching rule"] = 200, {k: v for k, v in headers.items() if k != "cache-control"}, good.body
        for name, answer in wrong.items():
            try:
                check("GET", url, *answer)
            except (ValidationError, Undocumented):
                continue
            raise AssertionError(f"{url}: {name} went unnoticed")


@test
def stale(node):
    "holds when the daemon's own loop hangs: unknown, no tag, never 304, and whoever waits is told"
    tag = ask(node, V2).headers["ETag"]
    with loop_hangs(node.agentd):
        # A waiting client is answered when the report goes stale, not when its time is up.
        began = time.monotonic()
        while (answer := ask(node, V2, "GET", {"If-None-Match": "*", "Prefer": "wait=60"}, timeout=70)).status == 304:
            assert time.monotonic() - began < 40
        full = ask_all(node)
        assert {c["code"] for c in full["components"]} == {"facts-stale"} == {r["code"] for r in full["reasons"]}, full
        assert full["health"] == "unknown" and "ETag" not in answer.headers, lower(answer)
        assert ask(node, V2, "GET", {"If-None-Match": tag}).status == 200
        assert ask(node, "/livez").status == 503
        samples = scrape(node)
        assert not any(value for key, value in samples.items() if key[0].endswith("_healthy")), samples
        assert samples["diag_node_unknown",] == 1, samples
    assert time.monotonic() - began < 40
    eventually(lambda: ask(node, V2).json()["health"] == "unhealthy", timeout=20)
    assert ask(node, "/livez").status == 200


@test
def busy(node):
    "holds when the loop does not get to what it shall do: 503, and it does not happen later either"
    assert ask(node, MAINTENANCE, "DELETE").status == 200
    with loop_hangs(node.agentd):
        answer = put(node, {"for_seconds": 60, "reason": "withdrawn"})
        assert (answer.status, answer.json()["reason"]) == (503, "busy"), answer
    assert ask(node, MAINTENANCE, "DELETE").json() == {"maintenance": None}      # the loop has turned since
    assert "withdrawn" not in node.agentd.output()


@test
def stopping(node):
    "holds for the last words of a machine that goes down, and whoever waits hears them"
    node.systemctl("stop", "loop.service")
    node.systemctl("poweroff", "--no-block", check=False)
    eventually(lambda: node.systemctl("is-system-running", check=False) == "stopping")

    def quiet():
        waiting = {"If-None-Match": ask(node, V2).headers["ETag"], "Prefer": "wait=1"}
        return ask(node, V2, "GET", waiting).status == 304 and waiting

    # When the units have stopped, the next change is that of the phase.
    waiting = eventually(quiet)
    connection = node.connection()
    connection.request("GET", V2, headers={**waiting, "Prefer": "wait=60"})
    assert node.agentd.stop() == 0
    answer = Answer(connection.getresponse())
    check("GET", V2, answer.status, lower(answer), answer.body)
    assert answer.json()["phase"] == "stopping", answer


tap.main(booted)
