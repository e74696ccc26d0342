#!/usr/bin/env python3
"""Components that are asked themselves, maintenance, reload and identity, on a real node with a real daemon."""
import contextlib
import json
import signal
import time

import tap
from node import Node, eventually
from tap import test

WEB = """
import http.server, json, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = json.loads(pathlib.Path("/run/web.json").read_text())
        body = json.dumps(said.get("body", {})).encode()
        self.send_response(said.get("status", 200))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""
MESOS = WEB.replace('"/run/web.json"', '"/run/mesos.json"').replace("127.0.0.1", "0.0.0.0").replace("8080", "5051")
UNITS = {
    "web.service": "[Unit]\nDescription=Web: it serves\n[Service]\nExecStart=/usr/bin/env python3 /etc/web.py\n",
    "mesos.service": "[Service]\nExecStart=/usr/bin/env python3 /etc/mesos.py\n",
    "plain.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "late.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep 3600\n",
    "echo.socket": "[Socket]\nListenStream=127.0.0.1:7000\nAccept=no\n",
    "echo.service": "[Service]\nExecStart=/bin/sleep infinity\n",
}
# Each second, so that nobody waits long; by the damping's own rule otherwise.
FAST = "Interval=1s\nTimeout=900ms\nFailAfter=2\n"
CONF = f"""
[Component web.service]
[Probe web-ok]
Component=web.service
Kind=http
Url=http://127.0.0.1:8080/
JsonField=/leader
JsonValue=m1
{FAST}
[Probe web-port]
Component=web.service
Kind=tcp
Address=127.0.0.1:8080
{FAST}
[Component Disk]
Title=The disk
[Probe disk-check]
Component=Disk
Kind=exec
Command=/bin/sh -c 'cat /run/disk.says; exit $(cat /run/disk.exit)'
{FAST}
""".replace("[Component web.service]\n", "")


@contextlib.contextmanager
def node():
    with Node("probes", units=UNITS) as n:
        (n.root / "etc/web.py").write_text(WEB)
        (n.root / "etc/mesos.py").write_text(MESOS)
        (n.root / "etc/diag").mkdir(exist_ok=True)
        (n.root / "run/diag").mkdir(exist_ok=True)
        web(n)
        disk(n)
        n.systemctl("start", "web.service", "plain.service", "echo.socket")
        yield n


def web(node, status=200, leader="m1"):
    write(node, "run/web.json", json.dumps({"status": status, "body": {"leader": leader}}))


def disk(node, exit_status=0, says="fine"):
    write(node, "run/disk.says", says)
    write(node, "run/disk.exit", str(exit_status))


def write(node, path, text):
    """In one step: a reader sees the old or the new, never half."""
    to = node.root / path
    part = to.with_name(to.name + ".part")
    part.write_text(text)
    part.rename(to)


@contextlib.contextmanager
def agent(node, conf=CONF, *options, environment=()):
    write(node, "etc/diag/agentd.conf", conf)
    daemon = node.start("env", *environment, "diag-agentd", "--target", "", *options)
    try:
        eventually(lambda: node.get("/system/health/v2/node").json()["phase"] == "running")
        yield daemon
    finally:
        daemon.stop()


def components(node):
    return {c["name"]: c for c in node.get("/system/health/v2/node").json()["components"]}


def wait_for(node, name, health, words=""):
    def so():
        c = components(node)[name]
        assert c["health"] == health and words in c["text"], (c["health"], c["text"])
        return c
    return eventually(so, timeout=15, every=0.1)


@test
def asks_components_themselves(node):
    "asks units and what is no unit over HTTP, TCP and by a command, and shows what it found"
    with agent(node):
        unit = wait_for(node, "web.service", "healthy")
        assert unit["kind"] == "unit" and unit["unit"]["active"] == "active"
        assert [(p["name"], p["kind"], p["health"]) for p in unit["probes"]] == [
            ("web-ok", "http", "healthy"), ("web-port", "tcp", "healthy")]
        alone = wait_for(node, "Disk", "healthy")
        assert (alone["kind"], alone["title"], alone["unit"]) == ("probe", "The disk", None)
        assert alone["probes"][0]["output"] == "fine" and alone["probes"][0]["last_run"]
        old = {u["id"]: u for u in node.get("/system/health/v1").json()["units"]}
        assert set(old) == {"web.service", "Disk"} and old["Disk"]["health"] == 0


@test
def is_as_bad_as_the_worst(node):
    "calls a unit that runs unhealthy when it answers wrongly, says which answer, and takes it back"
    with agent(node):
        wait_for(node, "web.service", "healthy")
        web(node, status=503)
        wait_for(node, "web.service", "unhealthy", "probe web-ok: HTTP status 503")
        old = {u["id"]: u for u in node.get("/system/health/v1").json()["units"]}
        assert old["web.service"]["health"] == 1 and "503" in old["web.service"]["output"]
        web(node, leader="")
        wait_for(node, "web.service", "unhealthy", "/leader")
        web(node)
        wait_for(node, "web.service", "healthy")


@test
def needs_more_than_one_failure(node):
    "stays healthy after some bad answers, as many as FailAfter= allows, and shows them"
    with agent(node, CONF.replace("FailAfter=2", "FailAfter=60")):
        wait_for(node, "Disk", "healthy")
        disk(node, 2, "sda1 is full")
        failed = eventually(lambda: next((p for p in components(node)["Disk"]["probes"]
                                          if p["window"].startswith("00")), None), timeout=15)
        assert failed["health"] == "healthy" and failed["fail_after"] == 60
    with agent(node):
        c = wait_for(node, "Disk", "unhealthy", "exited with status 2")
        assert c["code"] == "probe-failed" and c["probes"][0]["output"] == "sda1 is full"
        disk(node)
        wait_for(node, "Disk", "healthy")


@test
def takes_exit_statuses(node):
    "takes exit status 1 for unhealthy, 3 and odd ones for unknown"
    with agent(node):
        for status, health, code in ((1, "unhealthy", "probe-failed"), (3, "unknown", "probe-unknown"),
                                     (0, "healthy", "ok"), (42, "unknown", "probe-unknown")):
            disk(node, status)
            assert wait_for(node, "Disk", health)["code"] == code, status
        disk(node)


@test
def kills_a_command_that_hangs(node):
    "kills a command that hangs at its deadline, with its children, and says that it took too long"
    conf = ("[Probe hang]\nComponent=Hang\nKind=exec\n" + FAST +
            "Command=/bin/sh -c 'sleep 4321 & sleep 4321 & wait'\n")
    with agent(node, conf):
        c = wait_for(node, "Hang", "unhealthy")
        assert c["code"] == "probe-timeout", c
        # Two runs have ended, the next is under way or not: never more than one.
        assert len(node.exec("pgrep", "-cf", "sleep 4321", check=False).stdout.split()) <= 2
    eventually(lambda: node.exec("pgrep", "-f", "^sleep 4321", check=False).returncode == 1)


@test
def leaves_alone_what_is_not_up(node):
    "does not ask what is still starting, nor what only its socket would start"
    conf = (f"[Agent]\nUnit=echo.socket\n"
            f"[Probe late-port]\nComponent=late.service\nKind=tcp\nAddress=127.0.0.1:9\n{FAST}"
            f"[Probe echo-port]\nComponent=echo.service\nKind=tcp\nAddress=127.0.0.1:7000\n{FAST}")
    node.systemctl("start", "--no-block", "late.service")
    try:
        with agent(node, conf):
            wait_for(node, "late.service", "unhealthy", "is starting")
            echo = wait_for(node, "echo.service", "healthy")
            assert echo["code"] == "armed" and echo["probes"][0]["skipped"]
            time.sleep(2.5)     # two intervals and more: had it been asked, it would have been started
            assert components(node)["late.service"]["probes"][0]["skipped"]
            assert components(node)["echo.service"]["code"] == "armed"
            assert node.systemctl("is-active", "echo.service", check=False) == "inactive"
    finally:
        node.systemctl("stop", "late.service")


@test
def goes_on_after_a_restart(node):
    "knows after a restart what its probes had found, so that no health changes by it"
    environment = ("RUNTIME_DIRECTORY=/run/diag",)
    with agent(node, environment=environment):
        disk(node, 1)
        wait_for(node, "Disk", "unhealthy")
        eventually(lambda: "Disk" in (node.root / "run/diag/probes").read_text()
                   or (node.root / "run/diag/probes").stat().st_size > 0)
        before = components(node)["Disk"]["probes"][0]["window"]
    disk(node, 0)
    write(node, "run/disk.exit", "1")
    with agent(node, environment=environment):
        first = components(node)["Disk"]
        assert first["health"] == "unhealthy" and before in first["probes"][0]["window"], first
    disk(node)


# --- reload ---


@test
def reads_its_configuration_again(node):
    "takes a new component and a new expectation on SIGHUP, while somebody waits, and forgets what is gone"
    with agent(node, CONF + "[Agent]\nUnit=plain.service\n") as daemon:
        wait_for(node, "Disk", "healthy")
        found = eventually(lambda: len(w := components(node)["Disk"]["probes"][0]["window"]) > 2 and w, timeout=20)
        before = node.get("/system/health/v2/node").json()
        tag = node.get("/system/health/v2/node?fields=health").headers["ETag"]
        waiting = node.connection(timeout=30)
        waiting.request("GET", "/system/health/v2/node?fields=health",
                        headers={"If-None-Match": tag, "Prefer": "wait=20"})
        write(node, "etc/diag/agentd.conf",
              CONF.replace("[Component Disk]\nTitle=The disk\n", "[Component Disk]\nTitle=Disk one\n") +
              f"[Probe port]\nComponent=plain.service\nKind=tcp\nAddress=127.0.0.1:8080\n{FAST}")
        daemon.signal(signal.SIGHUP)
        woken = waiting.getresponse()
        assert woken.status == 200
        now = json.loads(woken.read())
        assert now["instance"] == before["instance"] and now["config_hash"] != before["config_hash"]
        c = wait_for(node, "plain.service", "healthy")
        assert [p["name"] for p in c["probes"]] == ["port"]
        assert components(node)["Disk"]["title"] == "Disk one"
        kept = components(node)["Disk"]["probes"][0]
        assert len(kept["window"]) >= len(found), "what its probe had found was forgotten"
        assert "configuration was read again" in daemon.output()
        # It said so of nobody else: the health of what stayed has not moved.
        assert "web.service: " not in daemon.output(), daemon.output()


@test
def keeps_its_configuration_when_the_new_one_is_broken(node):
    "keeps the old configuration when the new one has an error, and names file and line"
    with agent(node) as daemon:
        before = node.get("/system/health/v2/node").json()
        write(node, "etc/diag/agentd.conf", CONF + "[Agent]\nRole=king\n")
        daemon.signal(signal.SIGHUP)
        eventually(lambda: "stays what it was" in daemon.output())
        line = (CONF + "[Agent]\n").count("\n") + 1
        assert f"agentd.conf:{line}: Role: 'king' is no role" in daemon.output(), daemon.output()
        after = node.get("/system/health/v2/node").json()
        assert after["config_hash"] == before["config_hash"]
        assert wait_for(node, "Disk", "healthy")["probes"]


# --- maintenance ---


def diag(node, *argv, uid=None):
    as_user = ("setpriv", f"--reuid={uid}", "--regid=65534", "--clear-groups") if uid else ()
    return node.exec(*as_user, "diag", *argv, check=False)


@test
def says_that_it_is_worked_on(node):
    "shows maintenance everywhere, makes nothing healthy by it, keeps it over a restart, and ends it when told"
    environment = ("STATE_DIRECTORY=/run/diag-state",)
    (node.root / "run/diag-state").mkdir(exist_ok=True)
    disk(node, 2)
    with agent(node, environment=environment) as daemon:
        wait_for(node, "Disk", "unhealthy")
        done = diag(node, "maintenance", "start", "--for", "2h", "--reason", "new disks")
        assert done.returncode == 0, done
        now = node.get("/system/health/v2/node").json()
        assert now["maintenance"]["reason"] == "new disks" and now["maintenance"]["by"] == "uid 0"
        assert now["health"] == "unhealthy" and all(r["acknowledged"] for r in now["reasons"])
        short = node.get("/system/health/v2/node?fields=health").json()
        assert short["maintenance"] == now["maintenance"]
        shown = diag(node, "status")
        assert shown.returncode == 1 and "new disks" in shown.stdout, shown.stdout
        assert "maintenance until" in daemon.output()
    with agent(node, environment=environment):
        assert node.get("/system/health/v2/node").json()["maintenance"] == now["maintenance"]
        assert diag(node, "maintenance", "stop").returncode == 0
        wait_for(node, "Disk", "unhealthy")
        after = node.get("/system/health/v2/node").json()
        assert after["maintenance"] is None and not any(r["acknowledged"] for r in after["reasons"])
    disk(node)


@test
def lets_only_operators_do_it(node):
    "refuses maintenance to who is neither root nor in group diag, says so, and changes nothing"
    with agent(node):
        done = diag(node, "maintenance", "start", "--for", "1h", "--reason", "me", uid=65534)
        assert done.returncode == 1 and "diag" in done.stderr, done
        done = diag(node, "status", uid=65534)
        assert done.returncode == 0, done
        assert node.get("/system/health/v2/node").json()["maintenance"] is None


# --- identity ---


@test
def finds_its_address_as_dcos_does(node):
    "runs DC/OS's detect_ip where there is one, and takes its configuration's word before it"
    detect_ip = node.root / "opt/mesosphere/bin/detect_ip"
    node.exec("mkdir", "-p", "/opt/mesosphere/bin")
    detect_ip.write_text("echo 10.9.8.7\n")
    try:
        with agent(node):
            eventually(lambda: node.get("/system/health/v1").json()["ip"] == "10.9.8.7")
        with agent(node, CONF + "[Agent]\nAddress=10.1.1.1\n"):
            assert node.get("/system/health/v1").json()["ip"] == "10.1.1.1"
    finally:
        node.exec("rm", "-r", "/opt/mesosphere")


@test
def asks_mesos_for_its_id(node):
    "shows the id that Mesos has for it as soon as Mesos tells, and never waits for that"
    write(node, "run/mesos.json", json.dumps({"status": 503}))
    node.systemctl("start", "mesos.service")
    with agent(node, environment=("DCOS_VERSION=2.1",)):
        assert node.get("/system/health/v1").json()["mesos_id"] == ""
        write(node, "run/mesos.json", json.dumps({"body": {"frameworks": [{"id": "wrong"}], "id": "5e1f-S3"}}))
        eventually(lambda: node.get("/system/health/v1").json()["mesos_id"] == "5e1f-S3", timeout=40)
        node.systemctl("stop", "mesos.service")
        assert node.get("/system/health/v2/node").json()["mesos_id"] == "5e1f-S3"


if __name__ == "__main__":
    tap.main(node)
