#!/usr/bin/env python3
"""diag cert, judged by openssl(1) and by TLS itself, and diag asking over https."""
import contextlib
import http.server
import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path

import tap
from tap import test

DIAG = str(Path(os.environ.get("DIAG_INSTALL", "/"), "usr/bin/diag"))
NODE = json.dumps({"node_id": "n", "instance": "0123456789abcdef", "seq": 7, "health": "healthy", "phase": "running",
                   "components": [{"name": "a.service", "health": "healthy"}]}).encode()
NOBODY = 65534
AT_ONCE = 8


class Place:
    """A directory with an authority and a master m1 in it."""

    def __init__(self, path):
        self.path = Path(path)
        self.said = ""

    def run(self, *words, want=0, **more):
        done = subprocess.run(words, cwd=self.path, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, **more)
        assert done.returncode == want, (words, done)
        return done

    def diag(self, *words, want=0, before=(), **more):
        done = self.run(*before, DIAG, *words, want=want, **more)
        self.said += done.stdout + done.stderr
        return done

    def cert(self, *words, **more):
        return self.diag("cert", *words, **more)

    def openssl(self, *words, **more):
        return self.run("openssl", *words, **more).stdout

    def node(self, name, *words, role="agent", address="127.0.0.1", **more):
        return self.cert("node", name, "--role", role, "--address", address, *words, **more)

    def diagnostics(self):
        return self.said[-2000:]


@contextlib.contextmanager
def place():
    with tempfile.TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        p = Place(path)
        p.cert("ca", "--cluster", "prod")
        p.node("m1", "--address", "2001:db8::1", "--dns", "m1.example", role="master")
        yield p


def fields(place, file):
    return place.openssl("x509", "-in", file, "-noout", "-text", "-fingerprint", "-sha256")


@test
def verifies(place):
    "makes certificates that openssl finds in order for both sides, under each name, and under no other"
    verify = ("verify", "-x509_strict", "-CAfile", "diag-ca/ca.pem")
    good = [(), ("-purpose", "sslserver"), ("-purpose", "sslclient"), ("-verify_ip", "127.0.0.1"),
            ("-verify_ip", "2001:db8::1"), ("-verify_hostname", "m1"), ("-verify_hostname", "M1.Example")]
    for options in good:
        place.openssl(*verify, *options, "m1/node.pem")
    for options in (("-verify_ip", "127.0.0.2"), ("-verify_hostname", "m2"), ("-verify_hostname", "x.m1")):
        place.openssl(*verify, *options, "m1/node.pem", want=2)
    place.cert("ca", "--directory", "other", "--cluster", "prod")
    place.openssl("verify", "-CAfile", "other/ca.pem", "m1/node.pem", want=2)


@test
def says_what_it_should(place):
    "makes P-256 keys, random serial numbers, and says what each certificate is for"
    ca, node = fields(place, "diag-ca/ca.pem"), fields(place, "m1/node.pem")
    for text in (ca, node):
        assert "NIST CURVE: P-256" in text and "Signature Algorithm: ecdsa-with-SHA256" in text, text
    assert "Basic Constraints: critical\n                CA:TRUE, pathlen:0" in ca, ca
    assert "Key Usage: critical\n                Certificate Sign, CRL Sign" in ca, ca
    assert "Basic Constraints: critical\n                CA:FALSE" in node, node
    assert "Key Usage: critical\n                Digital Signature\n" in node, node
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in node, node
    assert "URI:diag://prod/master, IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, DNS:m1, DNS:m1.example" in node
    shown = json.loads(place.cert("show", "--json", "m1/node.pem").stdout)["certificates"][0]
    assert f"Fingerprint={shown['fingerprint_sha256']}\n" in node
    for i in range(20):
        place.node(f"s{i}")
    serials = {int(place.openssl("x509", "-in", f"s{i}/node.pem", "-noout", "-serial").split("=")[1], 16)
               for i in range(20)}
    assert len(serials) == 20 and max(serials) < 1 << 127 and max(serials) > 1 << 110, serials


@test
def key_fits(place):
    "makes a key that is the certificate's, in a form that openssl reads"
    for cert, key in (("diag-ca/ca.pem", "diag-ca/ca.key"), ("m1/node.pem", "m1/node.key")):
        public = place.openssl("x509", "-in", cert, "-noout", "-pubkey")
        assert public == place.openssl("pkey", "-in", key, "-pubout")
        secret = "".join(Path(place.path, key).read_text().split("\n")[1:-2])
        assert secret and secret not in place.said and "PRIVATE" not in place.said


# --- authorities of others ---

def foreign_authority(place, name, algorithm):
    """A root, and under it what signs: NAME/ca.pem holds both."""
    place.run("mkdir", name)
    Path(place.path, name, "ext").write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n"
                                             "subjectKeyIdentifier=hash\n")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "9")
    place.openssl(*new, "-subj", "/CN=Root", "-keyout", f"{name}/root.key", "-out", f"{name}/root.pem")
    place.openssl("genpkey", *algorithm, "-out", f"{name}/ca.key")
    place.openssl("req", "-new", "-key", f"{name}/ca.key", "-subj", "/CN=Issuing", "-out", f"{name}/csr")
    place.openssl("x509", "-req", "-in", f"{name}/csr", "-CA", f"{name}/root.pem", "-CAkey", f"{name}/root.key",
                  "-CAcreateserial", "-days", "5", "-extfile", f"{name}/ext", "-out", f"{name}/issuing.pem")
    both = "".join(Path(place.path, name, f).read_text() for f in ("issuing.pem", "root.pem"))
    Path(place.path, name, "ca.pem").write_text(both)


@test
def signs_with_foreign_authority(place):
    "signs with any kind of key that others made, hands on the chain, and ends when its authority does"
    kinds = {"rsa": ("-algorithm", "RSA"), "p384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
             "ed25519": ("-algorithm", "ED25519")}
    for name, algorithm in kinds.items():
        foreign_authority(place, name, algorithm)
        said = place.node("a1", "--directory", name, "--output", f"{name}/a1", want=2).stderr
        assert "does not name its cluster; say --cluster NAME" in said, said
        said = place.node("a1", "--directory", name, "--output", f"{name}/a1", "--cluster", "theirs").stdout
        assert "agent of cluster theirs" in said and "(in 4 d)" in said, said
        place.openssl("verify", "-CAfile", f"{name}/root.pem", "-untrusted", f"{name}/a1/node.pem", f"{name}/a1/node.pem")
        shown = json.loads(place.cert("show", "--json", f"{name}/a1/node.pem").stdout)["certificates"]
        assert [c["subject"] for c in shown] == ["CN=a1,O=theirs", "CN=Issuing"], shown
        assert Path(place.path, name, "a1/ca.pem").read_text() == Path(place.path, name, "ca.pem").read_text()


@test
def wants_key_in_the_clear(place):
    "says that a key is encrypted, and asks no terminal for a password"
    place.run("mkdir", "locked")
    place.run("cp", "diag-ca/ca.pem", "locked/ca.pem")
    place.openssl("pkcs8", "-topk8", "-in", "diag-ca/ca.key", "-passout", "pass:secret", "-out", "locked/ca.key")
    assert "locked/ca.key is encrypted; decrypt it first" in place.node("x", "--directory", "locked", want=1).stderr


# --- files ---

@test
def one_wins(place):
    "makes one authority when several are asked for at once, whose key is its own"
    both = [subprocess.Popen([DIAG, "cert", "ca", "--directory", "race"], cwd=place.path, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL) for _ in range(AT_ONCE)]
    assert sorted(p.wait(60) for p in both) == [0] + [1] * (AT_ONCE - 1)
    place.node("r1", "--directory", "race")
    assert sorted(p.name for p in Path(place.path, "race").iterdir()) == ["ca.key", "ca.pem"]


@test
def leaves_nothing_on_full_disk(place):
    "leaves no half of an authority where there is no room for it"
    script = 'mount -t tmpfs -o nr_inodes=2,mode=0700 none full && cd full && "$1" cert ca --directory .; ' \
             'status=$?; ls -A; exit $status'
    place.run("mkdir", "full")
    done = place.run("unshare", "-m", "sh", "-c", script, "-", DIAG, want=1)
    assert "No space left on device" in done.stderr and done.stdout == "", done


@test
def opens_key_to_group(place):
    "gives a node's key to the group diag-tls where there is one and root asks, else to nobody"
    group = Path(place.path, "group")
    group.write_text("root:x:0:\ndiag-tls:x:4711:\n")
    within = ("unshare", "-m", "sh", "-c", 'mount --bind group /etc/group && exec "$@"', "-")
    place.node("g1", before=within)
    key = Path(place.path, "g1/node.key").stat()
    assert (key.st_mode & 0o7777, key.st_uid, key.st_gid) == (0o640, 0, 4711), key
    group.write_text("root:x:0:\n")
    place.node("g2", before=within)
    assert Path(place.path, "g2/node.key").stat().st_mode & 0o7777 == 0o600
    theirs = Path(place.path, "theirs")
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    place.cert("ca", "--directory", "theirs/ca", before=as_nobody)
    group.write_text("root:x:0:\ndiag-tls:x:4711:\n")
    place.node("n1", "--directory", "theirs/ca", "--output", "theirs/n1", before=(*within, *as_nobody))
    key = (theirs / "n1/node.key").stat()
    assert (key.st_mode & 0o7777, key.st_uid) == (0o600, NOBODY), key
    said = place.node("n2", "--output", "theirs/n2", before=as_nobody, want=1).stderr
    assert "diag-ca/ca.pem: Permission denied" in said, said


# --- TLS ---

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.peers.append(self.connection.getpeercert())
        self.send_response(200)
        self.end_headers()
        self.wfile.write(NODE)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def server(place, name, wanted=ssl.CERT_REQUIRED):
    """Who shows NAME's certificate and wants one of the same authority; yields URL and who came."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(place.path / name / "node.pem", place.path / name / "node.key")
    context.load_verify_locations(place.path / "diag-ca/ca.pem")
    context.verify_mode = wanted
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as s:
        s.handle_error = lambda *_: None
        s.socket = context.wrap_socket(s.socket, server_side=True)
        s.peers = []
        thread = threading.Thread(target=s.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{s.server_port}", s.peers
        finally:
            s.shutdown()
            thread.join()


def tls(name):
    return ("--cacert", f"{name}/ca.pem", "--cert", f"{name}/node.pem", "--key", f"{name}/node.key")


@test
def asks_over_https(place):
    "asks over https with files that were named, and both sides know who the other is"
    with server(place, "m1") as (url, peers):
        said = place.diag("status", "--url", url, *tls("m1")).stdout
        assert "is healthy" in said, said
        assert ("URI", "diag://prod/master") in peers[0]["subjectAltName"], peers
        said = place.diag("status", "--url", url, "--cacert", "m1/ca.pem", want=2).stderr
        assert "; we showed no certificate" in said, said


@test
def finds_its_files(place):
    "finds its files in the home of who asks, in the directory that diag cert made"
    home = Path(place.path, "home")
    (home / ".config").mkdir(parents=True)
    place.node("alice", "--output", "home/.config/diag")
    with server(place, "m1") as (url, peers):
        place.diag("status", env={"HOME": str(home), "DIAG_URL": url})
        assert ("URI", "diag://prod/agent") in peers[0]["subjectAltName"], peers
        said = place.diag("status", "--url", url, want=2, env={"HOME": "/nonexistent"}).stderr
        assert f"nobody says whom to trust at {url}" in said, said


@test
def trusts_nobody_else(place):
    "does not talk to who has another's certificate, or one of another authority"
    place.node("elsewhere", address="127.0.0.2")
    place.cert("ca", "--directory", "false", "--cluster", "prod")
    place.node("liar", "--directory", "false")
    for name, why in (("elsewhere", "no alternative certificate subject name"), ("liar", "local issuer certificate")):
        with server(place, name, ssl.CERT_NONE) as (url, peers):
            said = place.diag("status", "--url", url, *tls("m1"), want=2).stderr
            assert "cannot be trusted" in said and why in said, said
            assert not peers


@test
def asks_for_no_password(place):
    "says that its own key is encrypted, and asks no terminal for a password"
    place.openssl("pkcs8", "-topk8", "-in", "m1/node.key", "-passout", "pass:secret", "-out", "m1/locked.key")
    with server(place, "m1") as (url, peers):
        # With a terminal of its own, where OpenSSL would ask.
        command = f"{DIAG} status --url {url} --cacert m1/ca.pem --cert m1/node.pem --key m1/locked.key"
        said = place.run("script", "-qec", command, "/dev/null", want=2).stdout
        assert "cannot be asked: unable to set private key file" in said, said
        assert "pass phrase" not in said.lower().replace("wrong pass phrase", ""), said
        assert not peers


@test
def shakes_hands_with_openssl(place):
    "is understood by openssl's own server and client"
    options = ("-CAfile", "m1/ca.pem", "-cert", "m1/node.pem", "-key", "m1/node.key")
    place.node("a1")
    listening = subprocess.Popen(["openssl", "s_server", *options, "-Verify", "1", "-verify_return_error", "-accept",
                                  "127.0.0.1:0", "-naccept", "1"], cwd=place.path, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, stdin=subprocess.PIPE, text=True)
    try:
        port = next(m[1] for m in (re.search(r"ACCEPT \S+:(\d+)", line) for line in listening.stdout) if m)
        said = place.openssl("s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", "a1/ca.pem", "-cert", "a1/node.pem",
                             "-key", "a1/node.key", "-verify_return_error", "-verify_ip", "127.0.0.1")
        assert "Verify return code: 0 (ok)" in said and "TLSv1.3" in said, said
        assert listening.wait(10) == 0
    finally:
        listening.kill()
        listening.wait()


tap.main(place)
