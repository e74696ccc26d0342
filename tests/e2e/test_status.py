#!/usr/bin/env python3
"""diag status, as people and scripts use it."""
import contextlib
import json
import re
import shutil
import signal
import socket
import threading
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
            ("--url", "ftp://x"): "neither http[s]://HOST:PORT nor unix:/PATH",
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


PROBES = f"""[Agent]
Target={WELL}
[Component asked]
Title=What is asked
[Probe asked-well]
Component=asked
Kind=exec
Command=/bin/true
[Probe asked-ill]
Component=asked
Kind=exec
Command=/bin/sh -c "echo no leader; exit 2"
Interval=1s
FailAfter=1
[Probe good-ill]
Component=good.service
Kind=tcp
Address=127.0.0.1:1
FailAfter=1
"""


@test
def shows_probes(node):
    "shows how many probes of a component pass, and which do not and why"
    (node.root / "etc/diag/probes.conf").write_text(PROBES)
    with agent(node, "--config", "/etc/diag/probes.conf") as url:
        eventually(lambda: "1/2 probes pass" in status(node, "--url", url).stdout)
        done = status(node, "--url", url)
        assert (done.returncode, done.stderr) == (1, ""), done
        assert re.search(r"^asked +unhealthy +1/2 probes pass +\d+ s +-  probe asked-ill: .* status 2 .*\n"
                         r"    asked-ill, exec, \d+ s ago: .* status 2 .*\n"
                         r"good\.service +unhealthy +active/running .*\n    good-ill, tcp, \d+ s ago: .+$",
                         done.stdout, re.M), done.stdout
        done = status(node, "--url", url, "asked")
        assert done.returncode == 1
        for words in ("state     1/2 probes pass\n", "probe asked-ill (exec): unhealthy\n", "no leader", "✗",
                      "probe asked-well (exec): healthy\n", "in a row  1 failed: unhealthy, 1 passed: healthy\n"):
            assert words in done.stdout, (words, done.stdout)


def maintenance(node, *options, program=()):
    return node.exec(*program, "diag", "maintenance", *options, check=False)


@test
def keeps_maintenance(node):
    "says that somebody works on the node, until he is done; nothing is healthier for that"
    began = maintenance(node, "start", "--for", "2h", "--reason", "a new disk")
    assert (began.returncode, began.stderr) == (0, ""), began
    assert re.fullmatch(r"maintenance until \S+Z \(in [12] h\), by uid 0\b.*: a new disk\n", began.stdout), began.stdout
    done = status(node)
    assert done.returncode == 1, done
    for words in ("1 unhealthy (acknowledged), 2 healthy", "maintenance until ", ": a new disk\n"):
        assert words in done.stdout, (words, done.stdout)
    assert all(r["acknowledged"] for r in json.loads(status(node, "--json").stdout)["reasons"])
    assert json.loads(maintenance(node, "--json").stdout)["maintenance"]["reason"] == "a new disk"
    assert "worked on until" in status(node, "bad").stdout
    for options in ((), ("stop",), ("stop",)):
        done = maintenance(node, *options)
        assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout == "no maintenance\n"
    assert "maintenance" not in status(node).stdout


@test
def refuses_maintenance(node):
    "lets only root and group diag say so, over a Unix socket, and refuses nonsense"
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    begin = ("start", "--for", "2h", "--reason", "r")
    tcp = ("--url", "http://127.0.0.1:1050")
    for options, program, words in ((begin, nobody, "run as root or join group diag\n"),
                                    (("stop",), nobody, "run as root or join group diag\n"),
                                    ((*begin, *tcp), (), "local socket, as root or as a member of group diag\n"),
                                    (("start", "--for", "8d", "--reason", "r"), (), "7 days"),
                                    (("start", "--for", "1h", "--reason", "x" * 257), (), "256")):
        done = maintenance(node, *options, program=program)
        assert (done.returncode, done.stdout) == (1, "") and words in done.stderr, done
    for options in ((), tcp):
        assert maintenance(node, *options, program=nobody).stdout == "no maintenance\n"
    done = maintenance(node, *begin, "--url", "unix:/nowhere")
    assert done.returncode == 2 and "maintenance needs the running daemon" in done.stderr, done


@test
def remembers_maintenance(node):
    "remembers it when the daemon is restarted, and does not begin what it cannot write down"
    state, path = node.root / "run/status-state", "/run/status-state.sock"
    state.mkdir()
    url = ("--url", f"unix:{path}")
    begin = ("start", "--for", "30min", "--reason", "kept", *url)

    def restart(daemon=None):
        if daemon:
            daemon.stop()
        daemon = node.start("env", "STATE_DIRECTORY=/run/status-state", "diag-agentd", "--listen", f"unix:{path}")
        eventually(lambda: node.get("/system/health/v1", unix=path).status == 200)
        return daemon

    daemon = restart()
    assert maintenance(node, *begin).returncode == 0
    before = maintenance(node, "--json", *url).stdout
    daemon = restart(daemon)
    assert maintenance(node, "--json", *url).stdout == before
    assert maintenance(node, "stop", *url).returncode == 0 and not (state / "maintenance").exists()
    shutil.rmtree(state)
    done = maintenance(node, *begin)
    assert (done.returncode, done.stdout) == (1, "") and "nothing has changed" in done.stderr, done
    assert maintenance(node, *url).stdout == "no maintenance\n"
    state.mkdir()
    (state / "maintenance").write_text("garbage\n")
    daemon = restart(daemon)
    assert "/run/status-state/maintenance: does not begin with" in daemon.output(), daemon.output()
    assert maintenance(node, *url).stdout == "no maintenance\n"
    daemon.stop()


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


SEE = "; see systemctl status diag-agentd.service"


@contextlib.contextmanager
def held_socket(node):
    """The daemon's socket, held by somebody else, as systemd does while the daemon does not start."""
    node.agentd.stop()
    path = node.root / AGENTD_SOCKET.lstrip("/")
    with socket.socket(socket.AF_UNIX) as held:
        path.unlink(missing_ok=True)
        held.bind(str(path))
        held.listen()
        yield held
    path.unlink()
    node.agentd = start(node)


def complete(node):
    line = ("COMP_WORDS=(diag status ''); COMP_CWORD=2; COMP_LINE='diag status '; _diag; "
            "printf '%s\\n' \"${COMPREPLY[@]}\"")
    return node.exec("bash", "-c", f". /usr/share/bash-completion/completions/diag; {line}").stdout.split()


@test
def asks_systemd_instead_of_a_silent_daemon(node):
    "looks at systemd itself when the daemon's own socket is held but nobody answers, and says where to look"
    assert complete(node) == ["bad.service", "flip.service", "good.service"]
    with held_socket(node):
        done = status(node)
        assert done.returncode == 1 and done.stderr.splitlines()[0] == (
            f"diag status: unix:{AGENTD_SOCKET} did not answer within 10 s{SEE}; asking systemd directly"), done
        assert re.search(r"^bad\.service +unhealthy +failed/failed", done.stdout, re.M), done.stdout
        done = status(node, "--url", f"unix:{AGENTD_SOCKET}")
        assert (done.returncode, done.stdout) == (2, "") and done.stderr.endswith(f"within 10 s{SEE}\n"), done
        done = maintenance(node)
        assert (done.returncode, done.stdout) == (2, "") and done.stderr.endswith(f"within 10 s{SEE}\n"), done
        assert complete(node) == []


@test
def asks_systemd_instead_of_one_that_hangs_up(node):
    "looks at systemd itself when the connection is closed without an answer, or says what is wrong with agentd.conf"
    def ask(held):
        hangs_up = threading.Thread(target=lambda: held.accept()[0].close())
        hangs_up.start()
        done = status(node, "good")
        hangs_up.join()
        return done

    with held_socket(node) as held:
        done = ask(held)
        assert done.returncode == 0 and "good.service: healthy" in done.stdout, done
        assert re.match(rf"diag status: unix:{AGENTD_SOCKET} hung up .*{SEE}; asking systemd directly\n", done.stderr), done
        conf = node.root / "etc/diag/agentd.conf"
        before = conf.read_text()
        conf.write_text(before + "Nonsense=1\n")
        done = ask(held)
        conf.write_text(before)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert "/etc/diag/agentd.conf:3: unknown key Nonsense" in done.stderr, done


tap.main(node)
