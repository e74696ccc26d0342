#!/usr/bin/env python3
"""TLS between machines: what is spoken where, who is believed by his certificate, and what a wrong file does."""
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import tap
from node import Node, eventually
from tap import Skip, test

INSTALL = Path(os.environ.get("DIAG_INSTALL", "/"))
SERVICE, SOCKET = "diag-agentd.service", "diag-agentd.socket"
HEALTH, MAINTENANCE = "/system/health/v2/node?fields=health", "/system/health/v2/node/maintenance"
PLAIN = {"port": 1050}


class Certificates:
    """Files of a CA and of what it has signed, below one directory."""

    def __init__(self, directory):
        self.dir = Path(directory)
        for ca in ("ca", "other"):
            self._openssl("req", "-x509", "-subj", f"/CN={ca}", *self._key(ca), "-out", self.dir / f"{ca}.pem")

    def _openssl(self, *argv):
        done = subprocess.run(["openssl", *map(str, argv)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _key(self, name):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-keyout", self.dir / f"{name}.key")

    def make(self, name, role, ca="ca", *names):
        """NAME.pem and NAME.key; names: IP:…, DNS:…"""
        names = ",".join([*names, *([f"URI:diag://test/{role}"] if role else [])])
        self._openssl("req", "-x509", "-subj", f"/CN={name}", *self._key(name), "-out", self.dir / f"{name}.pem",
                      "-CA", self.dir / f"{ca}.pem", "-CAkey", self.dir / f"{ca}.key",
                      "-addext", "basicConstraints=critical,CA:FALSE",
                      *(["-addext", f"subjectAltName={names}"] if names else []))
        return self.of(name)

    def of(self, name):
        """What curl needs to show it."""
        return "--cert", self.dir / f"{name}.pem", "--key", self.dir / f"{name}.key"


@contextlib.contextmanager
def service():
    if not shutil.which("openssl") or not shutil.which("curl"):
        raise Skip("there is no openssl, or no curl")
    with Node("tls", units=units()) as node, tempfile.TemporaryDirectory(prefix="diag-tls-") as directory:
        node.certificates = certificates = Certificates(directory)
        certificates.make("here", "agent", "ca", f"IP:{node.address}")
        certificates.make("m2", "master")
        certificates.make("a2", "agent")
        certificates.make("ops", None)
        certificates.make("spy", "master", "other")
        node.diagnostics = lambda: journal(node)
        example = INSTALL / "usr/share/doc/diag/examples/network.socket.conf"
        write(node, f"etc/systemd/system/{SOCKET}.d/network.conf", example.read_text())
        node.systemctl("daemon-reload")
        put_files(node)
        node.systemctl("enable", "--now", SOCKET, SERVICE)
        up(node)
        yield node
        said = node.exec("journalctl", "-o", "cat", "-u", SERVICE).stdout
        assert "Sanitizer" not in said and "runtime error" not in said, said


def units():
    if b"__asan_init" not in (INSTALL / "usr/sbin/diag-agentd").read_bytes():
        return {}
    # LeakSanitizer traces its own process; in the sandbox it would spin for ever.
    return {f"{SERVICE}.d/sanitizer.conf": "[Service]\nSystemCallFilter=@debug\nMemoryMax=2G\n"}


def journal(node):
    return node.exec("journalctl", "-n", "60", "-o", "cat", "-u", "diag-agentd.*", check=False).stdout


def write(node, name, text, mode=0o644):
    path = node.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def put_files(node, **replaced):
    """As they are to be installed: the key is for root and group diag-tls. replaced: key=PATH, …"""
    files = {"ca": "ca.pem", "certificate": "here.pem", "key": "here.key"} | replaced
    for kind, name in {"ca": "ca.pem", "certificate": "node.pem", "key": "node.key"}.items():
        mode = 0o640 if kind == "key" else 0o644
        write(node, f"etc/diag/tls/{name}", (node.certificates.dir / files[kind]).read_text(), mode)
    gid = int(node.exec("getent", "group", "diag-tls").stdout.split(":")[2])
    os.chown(node.root / "etc/diag/tls/node.key", 0, gid)


def configure(node, text):
    write(node, "etc/diag/agentd.conf", text)


def up(node):
    eventually(lambda: node.get(HEALTH).status == 200)


def restart(node):
    node.systemctl("restart", SERVICE)
    up(node)


def curl(node, path, *options, scheme="https", check=True):
    """(status, body) as another machine sees it; no status: none was sent."""
    argv = ["curl", "-sS", "--max-time", "10", "--cacert", node.certificates.dir / "ca.pem", "-w", "\n%{http_code}",
            *options, f"{scheme}://{node.address}:1050{path}"]
    # In the network between the nodes; its own failures are curl's, which the status tells.
    script = '"$@" 2>/dev/null || true'
    said = node.bed.testnode("net", "bash", "-c", script, "-", *map(str, argv)).stdout
    body, _, status = said.rpartition("\n")
    assert int(status) or not check, f"no answer to {path}"
    return int(status), body


def start_maintenance(node, *options, **more):
    return curl(node, MAINTENANCE, "-X", "PUT", "-H", "Content-Type: application/json",
                "-d", '{"for_seconds": 600, "reason": "tls"}', *options, **more)


def of(node, name):
    return node.certificates.of(name)


@test
def masters_operate(node):
    "lets the certificate of a master do everything, and writes down whose it was"
    assert curl(node, HEALTH, *of(node, "m2"))[0] == 200
    assert start_maintenance(node, *of(node, "m2"))[0] == 200
    network = node.bed.testnode("net", "hostname", "-I").stdout.split()[0]
    assert f"certificate m2 ({network})" in journal(node), journal(node)
    assert curl(node, MAINTENANCE, "-X", "DELETE", *of(node, "m2"))[0] in (200, 204)
    status, said = curl(node, HEALTH, "--tls-max", "1.2", *of(node, "m2"))
    assert status == 200 and '"health"' in said


@test
def nodes_ask_for_health(node):
    "lets other certificates of the CA ask for health, and for nothing else, until they are named"
    for name in ("a2", "ops"):
        assert curl(node, HEALTH, *of(node, name))[0] == 200
        status, said = start_maintenance(node, *of(node, name))
        assert status == 403 and "certificate of a master" in said, said
    configure(node, "[TLS]\nMasterNames=m9 ops\n")
    try:
        node.systemctl("reload", SERVICE)
        assert start_maintenance(node, *of(node, "ops"))[0] == 200
        assert curl(node, MAINTENANCE, "-X", "DELETE", *of(node, "ops"))[0] in (200, 204)
        assert start_maintenance(node, *of(node, "a2"))[0] == 403
    finally:
        configure(node, "")
        node.systemctl("reload", SERVICE)
    assert start_maintenance(node, *of(node, "ops"))[0] == 403


@test
def strangers(node):
    "refuses who has no certificate, or one of another CA, even for health, and says why"
    for options, why in (((), "no certificate was shown"), (of(node, "spy"), "not of the CA of this daemon")):
        for ask in (lambda: curl(node, HEALTH, *options), lambda: start_maintenance(node, *options)):
            status, said = ask()
            assert status == 403 and why in said, said
    configure(node, "[Listen]\nAllowFrom=10.77.0.0/16\n")
    try:
        node.systemctl("reload", SERVICE)
        for options in ((), of(node, "spy")):
            assert curl(node, HEALTH, *options)[0] == 200
            assert start_maintenance(node, *options)[0] == 403
    finally:
        configure(node, "")
        node.systemctl("reload", SERVICE)


@test
def plain_text(node):
    "answers no plain text from other machines, even with Insecure=yes, and goes on with it on this one"
    configure(node, "[Listen]\nInsecure=yes\nAllowFrom=10.77.0.0/16\n")
    try:
        restart(node)
        for _ in range(3):
            assert curl(node, HEALTH, scheme="http", check=False) == (0, "")
        assert curl(node, HEALTH)[0] == 200
    finally:
        configure(node, "")
        restart(node)
    assert node.get(HEALTH, **PLAIN).status == 200
    assert node.get(HEALTH, port=1050, address="::1").status == 200
    assert node.get(HEALTH).status == 200
    # On this machine, but not to a loopback address.
    assert node.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", port=1050, address=node.address)[:4] != b"HTTP"


@test
def stuck_handshakes(node):
    "serves others while sixty clients never end their handshake, and then hangs up on these"
    def stuck(i):
        s = node.tcp_socket(1050, node.address, timeout=30)
        s.sendall((b"", b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")[i % 3])
        return s

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(stuck(i)) for i in range(60)]
        begun = time.monotonic()
        for _ in range(5):
            assert curl(node, HEALTH, *of(node, "m2"))[0] == 200
            assert node.get(HEALTH, **PLAIN).status == 200
        print(f"# 10 requests beside 60 stuck handshakes: {(time.monotonic() - begun) * 1000:.0f} ms")
        assert all(ended(s) for s in clients)


def ended(s):
    with contextlib.suppress(ConnectionResetError):
        while s.recv(100):      # an alert, at most
            pass
    return True


@test
def forwarder(node):
    "believes the user of the aggregator for whom it asks, and nobody else"
    def ask(user, *options):
        done = node.exec("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "curl", "-s", "-X", "PUT",
                         "--unix-socket", "/run/diag/agentd.sock", "-o", "/dev/null", "-w", "%{http_code}",
                         "-H", "Content-Type: application/json", "-d", '{"for_seconds": 600, "reason": "forwarded"}',
                         *options, f"http://localhost{MAINTENANCE}")
        return int(done.stdout)

    aggregator = int(node.exec("id", "-u", "diag-aggregator").stdout)
    says = ("-H", "Diag-Caller: operate 1 certificate ops (10.0.0.9)")
    assert ask(aggregator, *says) == 200
    assert f"certificate ops (10.0.0.9), forwarded by uid {aggregator}" in journal(node), journal(node)
    assert ask(aggregator) == 403
    assert ask(aggregator, "-H", "Diag-Caller: health 1 10.0.0.9") == 403
    assert ask(aggregator, *says, *says) == 403
    assert ask(65534, *says) == 403
    assert start_maintenance(node, *says, *of(node, "a2"))[0] == 403
    assert node.request("PUT", MAINTENANCE, {"Diag-Caller": "operate 1 x", "Content-Type": "application/json"},
                        b'{"for_seconds": 600, "reason": "x"}', **PLAIN).status == 403
    assert node.request("DELETE", MAINTENANCE).status in (200, 204)


@test
def checks_configuration(node):
    "refuses files that are named and no good, and says which"
    directory = node.certificates.dir
    for name in ("ca.pem", "other.pem", "here.pem", "here.key", "spy.pem", "spy.key"):
        write(node, f"etc/diag/test/{name}", (directory / name).read_text())
    for ca, certificate, key, wrong, why in (
            ("ca.pem", "here.pem", "here.key", None, ""),
            ("ca.pem", "here.pem", "spy.key", "spy.key", "not the key of"),
            ("ca.pem", "spy.pem", "spy.key", "spy.pem", "not signed by"),
            ("other.pem", "here.pem", "here.key", "here.pem", "not signed by"),
            ("missing.pem", "here.pem", "here.key", "missing.pem", "No such file"),
            ("ca.pem", "here.key", "here.key", "here.key", "no certificate"),
            ("ca.pem", "here.pem", "here.pem", "here.pem", "no private key")):
        paths = [f"/etc/diag/test/{name}" for name in (ca, certificate, key)]
        write(node, "etc/diag/test/agentd.conf", "[TLS]\nCA={}\nCertificate={}\nKey={}\n".format(*paths))
        done = node.exec("diag-agentd", "--config", "/etc/diag/test/agentd.conf", "--check-config", check=False)
        assert done.returncode == (2 if wrong else 0), done.stderr
        assert not wrong or (f"/etc/diag/test/{wrong}" in done.stderr and why in done.stderr), done.stderr


@test
def broken_default_files(node):
    "answers on this machine, and nobody else, when the default files are no good"
    configure(node, "[Listen]\nInsecure=yes\nAllowFrom=10.77.0.0/16\n")
    put_files(node, key="spy.key")
    try:
        restart(node)
        assert "not the key of" in journal(node), journal(node)
        assert curl(node, HEALTH, "--max-time", "1", scheme="http", check=False)[0] == 0
        assert curl(node, HEALTH, "--max-time", "1", check=False)[0] == 0
        assert node.exec("diag-agentd", "--config", "/etc/diag/agentd.conf", "--listen", "10.77.0.1:1", "--check-config",
                         check=False).returncode == 2
    finally:
        configure(node, "")
        put_files(node)
        restart(node)
    assert curl(node, HEALTH, *of(node, "a2"))[0] == 200


@test
def key_of_another_group(node):
    "needs the key to be readable for its group, and no more"
    key = node.root / "etc/diag/tls/node.key"
    os.chown(key, 0, 0)
    try:
        restart(node)
        assert "node.key: Permission denied" in journal(node), journal(node)
    finally:
        put_files(node)
        restart(node)
    assert curl(node, HEALTH, *of(node, "a2"))[0] == 200


if __name__ == "__main__":
    tap.main(service)
