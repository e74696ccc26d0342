"""Nodes for diag-gather that are none: what they answer to POST /node/collect is made here, byte by byte, honest or not.
And a directory as diag-aggregatord prepares it."""
import contextlib
import datetime
import gzip
import hashlib
import http.server
import io
import json
import os
import socket
import subprocess
import tarfile
import threading
import time
import zipfile
from pathlib import Path

COLLECT = "/system/health/v2/node/collect"
V1 = "/system/health/v1/node/diagnostics/"
TYPES = {"tar.zst": "application/vnd.diag.fragment+zstd", "tar.gz": "application/vnd.diag.fragment+gzip"}


def program():
    """Of the installed tree, else of the build that these tests belong to."""
    places = [Path(os.environ["DIAG_INSTALL"], "usr/libexec/diag/diag-gather")] if "DIAG_INSTALL" in os.environ else []
    places.append(Path(os.environ.get("DIAG_FAKES", "build/tests")).parent / "bundles/diag-gather")
    return next((p.resolve() for p in places if p.exists()), None)


def rfc3339(at=None):
    return datetime.datetime.fromtimestamp(at or time.time(), datetime.timezone.utc).isoformat(
        timespec="milliseconds").replace("+00:00", "Z")


# --- fragments ---

def entry(path, data):
    """A header, the data and its padding, as tar has them."""
    info = tarfile.TarInfo(path)
    info.size, info.mtime = len(data), 1795219447
    return resummed(info.tobuf(tarfile.USTAR_FORMAT)) + data + b"\0" * (-len(data) % 512)


def resummed(header, typeflag=b"0"):
    """With the numbers of a device, 0, as our collector writes them, and Python does not."""
    block = bytearray(header)
    block[329:345] = b"0000000\0" * 2
    block[156:157] = typeflag
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def packed(blocks, form):
    if form == "tar.gz":
        return gzip.compress(blocks, 1, mtime=0)
    return subprocess.run(["zstd", "-qc", "-1"], input=blocks, stdout=subprocess.PIPE, check=True).stdout


def status(prefix, files, **more):
    listed = [{"path": name, "kind": "file", "source": "/" + name, "size": len(data),
               "sha256": hashlib.sha256(data).hexdigest(), "duration_seconds": 0.01, "redactions": 1,
               "truncated": False, "optional": False, "error": None} for name, data in files.items()]
    role = prefix.partition("_")[2]
    return json.dumps({"prefix": prefix, "hostname": "h", "version": "0.1.0", "role": role, "started": rfc3339(),
                       "finished": rfc3339(), "since": rfc3339(), "until": rfc3339(), "redacted": True, "partial": False,
                       "partial_reason": None, "entries": listed, **more}).encode()


def fragment(prefix, files, form="tar.zst", with_status=True, **more):
    """A frame an entry, the status last."""
    parts = [packed(entry(f"{prefix}/{name}", data), form) for name, data in files.items()]
    if with_status:
        parts.append(packed(entry(f"{prefix}/status.json", status(prefix, files, **more)), form))
    return b"".join(parts)


FILES = {"journal.log": b"one line\n" * 500, "etc/os-release": b"NAME=Debian\n", "empty": b""}


# --- nodes ---

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        _, name, path = self.path.split("/", 2)
        n = int(self.headers.get("Content-Length", 0))
        self.asked = self.rfile.read(n)
        node = self.server.nodes[name]
        node.requests.append((self.command, "/" + path, dict(self.headers), self.asked))
        self.close_connection = True
        try:
            node.answer(self, "/" + path)
        except (BrokenPipeError, ConnectionResetError):
            node.hung_up = True

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass

    def say(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), "Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def begin_chunks(self, kind):
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Transfer-Encoding", "chunked"), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()

    def chunk(self, data):
        if data:
            self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")
            self.wfile.flush()

    def cut(self):
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


class Node:
    """What it sends is data, a function that gives data for a prefix and a format, or a function of the request."""

    def __init__(self, sends=None, address=None, role="agent", v1=False, does=None, **order):
        self.sends, self.does, self.role, self.v1, self.order = sends, does, role, v1, order
        self.address, self.requests, self.hung_up = address, [], False
        self.polls = 0

    @property
    def prefix(self):
        return f"{self.address}_{self.role}"

    def form(self, request):
        return "tar.gz" if "gzip" in request.headers.get("Accept", "") else "tar.zst"

    def answer(self, request, path):
        if self.v1:
            self.answer_v1(request, path)
            return
        assert (request.command, path) == ("POST", COLLECT), path
        if self.does:
            self.does(self, request)
            return
        form = self.form(request)
        data = self.sends(self.prefix, form) if callable(self.sends) else self.sends
        request.begin_chunks(TYPES[form])
        for at in range(0, len(data), 65536):
            request.chunk(data[at:at + 65536])
        request.wfile.write(b"0\r\n\r\n")

    def answer_v1(self, request, path):
        name = path.removeprefix(V1)
        bundle = {"id": name, "type": "Local", "status": "Started"}
        if request.command == "PUT":
            request.say(200, json.dumps(bundle).encode())
        elif request.command == "DELETE":
            request.say(200, json.dumps({**bundle, "status": "Deleted"}).encode())
        elif name.endswith("/file"):
            request.say(200, self.sends, Content_Type="application/zip")
        else:
            self.polls += 1
            done = {**bundle, "status": "Done"} if self.polls > 1 else bundle
            request.say(200, json.dumps(self.does(done) if self.does else done).encode())


def honest(prefix, form):
    return fragment(prefix, FILES, form)


# --- a bundle ---

class Bundle:
    def __init__(self, top, nodes, form="tar.zst", **order):
        self.dir, self.nodes, self.form = Path(top), nodes, form
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.nodes = {}
        for i, n in enumerate(nodes):
            n.address = n.address or f"10.1.{i // 250}.{i % 250 + 1}"
            self.server.nodes[f"n{i}"] = n
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        (self.dir / "gather.json").write_text(json.dumps({
            "ca_file": None, "cert_file": None, "key_file": None, **order,
            "nodes": [{"url": f"{url}/n{i}", "address": n.address, "node_id": None, "role": n.role, "v1": n.v1,
                       "unreachable": False, **n.order} for i, n in enumerate(nodes)]}))
        (self.dir / "state.json").write_text(json.dumps({
            "id": "test-1", "type": "cluster", "state": "running", "created": rfc3339(), "finished": None, "by": "uid:0",
            "observer": "10.1.0.1", "request": {"nodes": ["all"], "since": None, "until": None, "kinds": [],
                                                "format": form, "redact": True},
            "progress": {"nodes_total": len(nodes), "nodes_done": 0, "nodes_failed": 0, "received_bytes": 0,
                         "fraction": 0, "current": None},
            "size_bytes": None, "sha256": None, "partial": False, "error": None, "redactions": 0, "file": None,
            "nodes": [{"node_id": None, "address": n.address, "role": n.role, "state": "waiting", "bytes": 0, "entries": 0,
                       "failed_entries": 0, "redactions": 0, "error": None, "took_seconds": 0} for n in nodes]}))
        (self.dir / "cluster.json").write_text('{"health":"healthy"}\n')
        (self.dir / "nodes.json").write_text('{"items":[]}\n')
        self.process = None

    def start(self):
        self.process = subprocess.Popen([program(), self.dir], stderr=subprocess.PIPE, text=True)
        return self

    def wait(self, seconds=60):
        _, self.said = self.process.communicate(timeout=seconds)
        return self.process.returncode

    def run(self, seconds=60):
        """Its state at its end."""
        self.start()
        code = self.wait(seconds)
        state = self.state()
        assert code == 0, (code, self.said, state)
        return state

    def state(self):
        return json.loads((self.dir / "state.json").read_text())

    def of(self, node):
        return next(n for n in self.state()["nodes"] if n["address"] == node.address)

    def names(self):
        return sorted(p.name for p in self.dir.iterdir())

    def entries(self):
        path = self.dir / f"file.{self.form}"
        if self.form == "zip":
            with zipfile.ZipFile(path) as z:
                assert z.testzip() is None
                return {n: z.read(n) for n in z.namelist()}
        data = gzip.decompress(path.read_bytes()) if self.form == "tar.gz" else subprocess.run(
            ["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(data)) as t:
            return {m.name: t.extractfile(m).read() for m in t}

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def bundle(top, nodes, form="tar.zst", **order):
    top = Path(top, f"b{len(list(Path(top).iterdir()))}")
    top.mkdir(mode=0o700)
    b = Bundle(top, nodes, form, **order)
    try:
        yield b
    finally:
        b.close()
