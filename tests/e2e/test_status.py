#!/usr/bin/env python3
"""diag status, as people and scripts use it."""
import contextlib
import json
import re
import signal
import socket
import time

import tap
from node import AGENTD_SOCKET, Node, eventually
from tap import test

TARGET, WELL = "status.target", "well.target"
UNITS = {
    TARGET: "[Unit]\nDescription=What is watched\n",
    WELL: "[Unit]\nDescription=What is well\n",
    "good.service": "[Unit]\nDescription=Good: it is\n[Service]\nExecStart=/bin/sleep infinity\n",
    "bad.service": "[Service]\nExecStart=/bin/sh -c 'echo cannot read my configuration; exit 3'\n",
    "flip.service": "[Service]\nExecStart=/bin/sleep infinity\n",
}
LINKS = {f"{TARGET}.wants/{name}": f"../{name}" for name in ("good.service", "bad.service", "flip.service")}
LINKS[f"{WELL}.wants/good.service"] = "../good.service"
SOON = 3


@contextlib.contextmanager
def node():
    with Node("status", units=UNITS, links=LINKS) as n:
        # In the file, because diag status takes it from there when no daemon answers.
        (n.root / "etc/diag").mkdir(exist_ok=True)
        (n.root / "etc/diag/agentd.conf").write_text(f"[Agent]\nTarget={TARGET}\n")
        n.systemctl("start", TARGET)
        n.agentd = start(n)
        eventually(lambda: "Failed with result" in status(n, "bad").stdout)
        yield n


def start(node, *options, path=AGENTD_SOCKET):
    daemon = node.start("diag-agentd", *options)
    eventually(lambda: node.get("/system/health/v1", unix=path).status == 200)
    return daemon


@contextlib.contextmanager
def agent(node, *options):
    """Another one, which has seen no changes yet; yields its URL."""
    path = f"/run/status-{len(node.daemons)}.sock"
    daemon = start(node, "--listen", f"unix:{path}", *options, path=path)
    try:
        yield f"unix:{path}"
    finally:
        daemon.stop()


def status(node, *options, environment=(), timeout=30):
    return node.exec("env", *environment, "diag", "status", *options, check=False, timeout=timeout)


@test
def shows_a_table(node):
    "shows a table, worst first, without colours, and exits with 1 when something is unhealthy"
    done = status(node)
    assert (done.returncode, done.stderr) == (1, "")
    head, _, table = done.stdout.partition("\n\n")
    assert "status (agent, " in head and "3 components: 1 unhealthy, 2 healthy" in head, head
    title, *rows = [re.split(r" {2,}", row.strip()) for row in table.splitlines()]
    assert title == ["COMPONENT", "HEALTH", "STATE", "SINCE", "RESTARTS", "WHY"]
    assert [row[0] for row in rows] == ["bad.service", "flip.service", "good.service"]
    assert rows[0][1:3] == ["unhealthy", "failed/failed"] and rows[0][5] == "exited with status 3 (NOTIMPLEMENTED)"
    assert rows[2][1:3] == ["healthy", "active/running"] and len(rows[2]) == 5
    assert "\x1b" not in done.stdout


@test
def has_colours_on_a_terminal(node):
    "uses colours on a terminal, unless NO_COLOR says otherwise"
    assert "\x1b[" in node.exec("script", "-qec", "diag status", "/dev/null", check=False).stdout
    assert "\x1b[" not in node.exec("env", "NO_COLOR=1", "script", "-qec", "diag status", "/dev/null",
                                    check=False).stdout


@test
def exits_with_health(node):
    "exits with 0 when all is well, 3 when nothing is known"
    with agent(node, "--target", WELL) as url:
        done = status(node, "--url", url)
        assert (done.returncode, done.stderr) == (0, "") and "good.service" in done.stdout
    with agent(node, "--target", "missing.target") as url:
        done = status(node, "--url", url)
        assert (done.returncode, done.stderr) == (3, "")
        assert "unknown" in done.stdout and "missing.target pulls in nothing to watch" in done.stdout, done.stdout


@test
def exits_with_2(node):
    "exits with 2, says why and shows nothing when it cannot ask or is called wrongly"
    for options, words in {
            ("--url", "unix:/nowhere"): "nobody answers at unix:/nowhere",
            ("--url", "http://127.0.0.1:1"): "nobody answers at http://127.0.0.1:1",
            ("--url", "http://127.0.0.1:1050/elsewhere"): "404",
            ("--url", "ftp://x"): "neither http://HOST:PORT nor unix:/PATH",
            ("--url", "unix:relative"): "begins with '/'",
            ("--url", "http://a:b@c"): "password",
            ("--url",): "--url",
            ("--nonsense",): "--nonsense",
            ("god.service",): "did you mean good.service",
            ("good", "nowhere"): 'no component "nowhere"'}.items():
        done = status(node, *options)
        assert (done.returncode, done.stdout) == (2, ""), (options, done)
        assert words in done.stderr and done.stderr.startswith("diag status: "), done.stderr
    for argv, words in ((["statsu"], "status"), ([], "diag status"), (["--nonsense"], "--nonsense")):
        done = node.exec("diag", *argv, check=False)
        assert done.returncode == 2 and words in done.stderr and done.stdout == "", done


@test
def helps(node):
    "has a help and a version"
    assert "status" in node.exec("diag", "--help").stdout
    assert "--watch" in node.exec("diag", "status", "--help").stdout
    assert re.fullmatch(r"diag \d\S*\n", node.exec("diag", "--version").stdout)


@test
def prints_json(node):
    "prints what the daemon says with --json"
    done = status(node, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    printed, said = json.loads(done.stdout), node.get("/system/health/v2/node").json()
    for report in (printed, said):
        del report["system"]
    assert printed == said


@test
def shows_components(node):
    "shows all that is known of a component, and exits with its health"
    done = status(node, "bad")
    assert done.returncode == 1
    for words in ("bad.service: unhealthy", "exited with status 3 (NOTIMPLEMENTED) (exit-code)", "failed/failed",
                  "cannot read my configuration", "Main process exited, code=exited, status=3/NOTIMPLEMENTED"):
        assert words in done.stdout, (words, done.stdout)
    done = status(node, "good.service")
    assert done.returncode == 0 and "good.service: healthy" in done.stdout and "Good: it is" in done.stdout
    assert "bad.service" not in done.stdout
    assert status(node, "good", "bad").returncode == 1


@test
def takes_urls(node):
    "asks whom --url or DIAG_URL names"
    with agent(node, "--target", WELL) as url:
        assert status(node, environment=[f"DIAG_URL={url}"]).returncode == 0
        assert status(node, "--url", f"unix:{AGENTD_SOCKET}", environment=[f"DIAG_URL={url}"]).returncode == 1
        assert status(node, environment=["DIAG_URL="]).returncode == 1
    for url in ("http://127.0.0.1:1050", "http://localhost:1050/", "http://[::1]:1050",
                "http://127.0.0.1:1050/system/health/v1/../../.."):
        done = status(node, "--url", url)
        assert (done.returncode, done.stderr) == (1, ""), (url, done)


@test
def gives_up_on_silence(node):
    "exits with 2 when somebody listens who does not answer"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{node.root}/run/silent.sock")
        silent.listen()
        begun = time.monotonic()
        done = status(node, "--url", "unix:/run/silent.sock")
        assert (done.returncode, done.stdout) == (2, "") and "unix:/run/silent.sock" in done.stderr, done
        assert time.monotonic() - begun < 12


class Watch:
    """diag status --watch in the background; what it has printed and not been asked for yet."""

    def __init__(self, node, *options):
        self._program = node.start("diag", "status", "--watch", *options)
        self._read = 0

    def shows(self, words, timeout=SOON):
        def found():
            at = self._program.output().find(words, self._read)
            assert at >= 0, self._program.output()[self._read:]
            self._read = at + len(words)
            return True

        eventually(found, timeout)

    def ends(self, number):
        self._program.signal(number)
        return self._program.wait(2), self._program.output()


@test
def watches(node):
    "shows each change with --watch, until SIGINT"
    with agent(node) as url:
        watch = Watch(node, "--url", url, "flip", "good")
        watch.shows("flip.service: healthy")
        for change, health in (("stop", "unhealthy"), ("start", "healthy")):
            node.systemctl(change, "flip.service")
            watch.shows(f"flip.service: {health}")
        assert watch.ends(signal.SIGINT)[0] == 0


@test
def watches_as_json(node):
    "prints one line of JSON for each change with --watch --json"
    with agent(node) as url:
        watch = Watch(node, "--url", url, "--json")
        watch.shows('"truncated"')
        node.systemctl("stop", "flip.service")
        watch.shows('"code":"stopped"')
        watch.shows('"truncated"')
        node.systemctl("start", "flip.service")
        watch.shows('"truncated"')
        exit_status, output = watch.ends(signal.SIGTERM)
    assert exit_status == 1
    reports = [json.loads(line) for line in output.splitlines()]
    healths = [next(c["health"] for c in r["components"] if c["name"] == "flip.service") for r in reports]
    assert healths[0] == healths[-1] == "healthy" and "unhealthy" in healths, healths


@test
def watches_restarts(node):
    "goes on watching when the daemon is restarted"
    with agent(node, "--target", WELL) as url:
        watch = Watch(node, "--url", url)
        watch.shows("good.service")
    watch.shows(f"nobody answers at {url}", 5)
    start(node, "--target", TARGET, "--listen", url, path=url.removeprefix("unix:"))
    watch.shows("answers again", 5)
    watch.shows("bad.service", 5)
    assert watch.ends(signal.SIGINT)[0] == 1


@test
def asks_systemd_itself(node):
    "looks at systemd itself where no daemon answers, and says so"
    node.agentd.stop()
    done = status(node)
    assert done.returncode == 1 and "no daemon answers; asked systemd directly" in done.stderr, done
    assert re.search(r"^bad\.service +unhealthy +failed/failed", done.stdout, re.M), done.stdout
    done = status(node, "bad")
    assert done.returncode == 1 and "Main process exited" in done.stdout, done.stdout
    assert json.loads(status(node, "--json").stdout)["health"] == "unhealthy"
    done = status(node, environment=[f"DIAG_URL=unix:{AGENTD_SOCKET}"])
    assert (done.returncode, done.stdout) == (2, "") and "nobody answers" in done.stderr
    node.agentd = start(node)
    assert status(node).stderr == ""


tap.main(node)
