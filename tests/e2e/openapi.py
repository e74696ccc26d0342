"""A document of docs/ against a running daemon: paths, methods, statuses, headers, bodies.

    document = Document("docs/openapi.yaml")
    answer = document.ask(node, "/system/health/v1")    # raises what is not as documented
    document.seen                                       # {(method, path of the document, status)}

The document is open where clients must ignore what they do not know (API v2). Here it is read closed:
a member, header or status that the daemon sends and the document does not have is a failure.
"""
import copy
import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml
from jsonschema import Draft202012Validator, RefResolver, ValidationError
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]
ANY_HEADERS = {"date", "server", "connection", "content-length", "transfer-encoding"}

_TEXT = {"type": "string", "minLength": 1}
_REF = {"type": "object", "required": ["$ref"], "properties": {"$ref": {"type": "string", "pattern": "^#/"}}}


def _object(must="", **properties):
    return {"type": "object", "required": must.split(), "properties": properties, "additionalProperties": False}


def _map_of(schema, names=".*"):
    return {"type": "object", "patternProperties": {f"^({names})$": schema}, "additionalProperties": False}


def _or_ref(schema):
    return {"if": {"required": ["$ref"]}, "then": _REF, "else": schema}


_SCHEMA = {"type": "object"}
_HEADER = _or_ref(_object("schema description", schema=_SCHEMA, description=_TEXT, required={"type": "boolean"}))
_RESPONSE = _or_ref(_object("description", description=_TEXT, headers=_map_of(_HEADER), content=_map_of(
    _object("schema", schema=_SCHEMA, example={}))))
_RESPONSES = _map_of(_RESPONSE, "[1-5][0-9][0-9]")
_PARAMETER = _or_ref(_object("name in schema description", name=_TEXT, **{"in": {"enum": ["query", "header", "path"]}},
                             required={"const": True}, description=_TEXT, schema=_SCHEMA, example={}))
_CONTENT = _map_of(_object("schema", schema=_SCHEMA, example={}))
_OPERATION = _object("operationId x-class summary responses", operationId=_TEXT, summary=_TEXT, responses=_RESPONSES,
                     requestBody=_object("content", required={"const": True}, content=_CONTENT),
                     **{"x-class": {"enum": ["health", "read", "operate"]}})
_PATH = _or_ref(_object("summary", summary=_TEXT, description=_TEXT, get=_OPERATION, head=_OPERATION, put=_OPERATION, post=_OPERATION,
                        delete=_OPERATION, parameters={"type": "array", "items": _PARAMETER}))
_METRIC = {"type": "array", "prefixItems": [{"enum": ["gauge", "counter", "histogram"]}], "minItems": 1, "items": _TEXT}
# As much of OpenAPI 3.1 as the documents use; whatever else turns up there is most likely a slip.
OPENAPI = _object(
    "openapi info servers paths components x-metrics",
    openapi={"const": "3.1.0"}, paths=_map_of(_PATH, "/.*"), servers={"type": "array"},
    info=_object("title version license description", title=_TEXT, version=_TEXT, license=_SCHEMA, description=_TEXT),
    components=_object("", parameters=_map_of(_PARAMETER), headers=_map_of(_HEADER), responses=_map_of(_RESPONSE),
                       schemas=_map_of(_SCHEMA)),
    **{"x-any-request": _RESPONSES, "x-metrics": _map_of(_METRIC, "(diag|api|bundle|process)_[a-z_]+")})


class Undocumented(AssertionError):
    pass


def walk(node, at=()):
    yield at, node
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from walk(child, (*at, key))


def lower(answer):
    return {name.lower(): value for name, value in answer.headers.items()}


class Document:
    def __init__(self, name, example=lambda path: path, any_request=None):
        """example: a path of the document with names that are there; any_request: the document whose
        x-any-request holds here, too"""
        self.content = yaml.safe_load((ROOT / name).read_text())
        self.closed = self._closed()
        self.url_of, self._general = example, any_request or self
        self.seen = set()

    def resolve(self, node):
        """Follow references to what they name."""
        while isinstance(node, dict) and "$ref" in node:
            found = self.content
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def references(self):
        return [(at, node["$ref"]) for at, node in walk(self.content) if isinstance(node, dict) and "$ref" in node]

    def _closed(self):
        """The document, with nothing allowed that it does not name. What others are built on is closed where it
        stands for itself."""
        document = copy.deepcopy(self.content)
        bases = {ref for at, ref in self.references() if "allOf" in at}
        for at, node in walk(document["components"]["schemas"]):
            if isinstance(node, dict) and isinstance(node.get("properties"), dict) and "type" in node:
                if "#/components/schemas/" + at[0] not in bases or len(at) > 1:
                    node["unevaluatedProperties"] = False
        for at, node in list(walk(document)):
            if isinstance(node, dict) and node.get("$ref") in bases and "allOf" not in at:
                node["unevaluatedProperties"] = False
        for at, node in walk(document["components"]["responses"]):
            if isinstance(node, dict) and "allOf" in node:
                node["unevaluatedProperties"] = False
        return document

    def validate(self, schema, value, document=None):
        Draft202012Validator(schema, resolver=RefResolver("", document or self.closed)).validate(value)

    # The document itself

    def must_be_openapi(self):
        Draft202012Validator(OPENAPI).validate(self.content)
        for at, node in walk(self.content):
            if at and at[-1] == "schema" or at[:2] == ("components", "schemas") and len(at) == 3:
                Draft202012Validator.check_schema(node)

    def must_refer_to_what_exists(self):
        used = {ref for _, ref in self.references() if self.resolve({"$ref": ref}) is not None}
        there = {f"#/components/{kind}/{name}" for kind, of in self.content["components"].items() for name in of}
        assert not there - used, there - used
        ids = [node for at, node in walk(self.content["paths"]) if at and at[-1] == "operationId"]
        assert len(set(ids)) == len(ids), ids

    def n_true_examples(self):
        n = 0
        for at, node in walk(self.content):
            if isinstance(node, dict) and "example" in node and "in" not in node:
                schema = node["schema"] if "schema" in node else {"$ref": "#/" + "/".join(at)}
                self.validate(schema, node["example"])
                n += 1
        return n

    def operations(self):
        """(method, path): what the document says of it"""
        return {(method.upper(), path): operation for path, item in self.content["paths"].items()
                for method, operation in self.resolve(item).items() if method.upper() in METHODS}

    def words(self, name):
        return set(self.resolve(self.content["components"]["schemas"][name])["enum"])

    # One answer

    def path_of(self, url):
        """The path of the document that this is one of; what is served is matched whole, before templates."""
        path = urlsplit(url).path
        patterns = {p: re.sub(r"\\{\w+\\}", "[^/]+", re.escape(p)) for p in self.content["paths"]}
        return path if path in patterns else next((p for p in patterns if re.fullmatch(patterns[p], path)), path)

    def _response(self, method, path, status):
        own = self.resolve(self.content["paths"].get(path, {})).get(method.lower(), {}).get("responses", {})
        if str(status) in own:
            return self, self.resolve(own[str(status)])
        of = self if str(status) in self.content.get("x-any-request", {}) else self._general
        return of, of.resolve(of.content["x-any-request"].get(str(status)))

    def _check_headers(self, response, headers):
        documented = {name.lower(): self.resolve(h) for name, h in response.get("headers", {}).items()}
        for name, header in documented.items():
            if header.get("required") and name not in headers:
                raise Undocumented(f"no {name}")
            if name in headers:
                self.validate(header["schema"], headers[name])
        undocumented = set(headers) - set(documented) - ANY_HEADERS - {"content-type"}
        if undocumented:
            raise Undocumented(f"header {undocumented}")

    @staticmethod
    def _schema_for(schema, url):
        """Of the two forms of /node, the one that was asked for."""
        if "anyOf" not in schema:
            return schema
        short = parse_qs(urlsplit(url).query).get("fields") == ["health"]
        return {"$ref": "#/components/schemas/" + ("NodeHealth" if short else "Node")}

    def _check_body(self, response, url, headers, body):
        content, kind = response.get("content", {}), headers.get("content-type")
        if not body:
            return
        if kind not in content:
            raise Undocumented(f"{kind or 'a body without a type'}; documented: {list(content)}")
        value = json.loads(body) if kind == "application/json" else body.decode(errors="replace")
        self.validate(self._schema_for(content[kind]["schema"], url), value)

    def check(self, method, url, status, headers, body):
        """Is this what the document says? headers: names in lower case."""
        document, response = self._response(method, self.path_of(url), status)
        if response is None:
            raise Undocumented(f"{method} {url}: status {status}")
        document._check_headers(response, headers)
        if method == "HEAD" and body:
            raise Undocumented("a body")
        # A body that is documented without alternative must be there.
        if method != "HEAD" and response.get("content") and status != 301 and not body:
            raise Undocumented("no body")
        document._check_body(response, url, headers, body)

    def ask(self, node, url, method="GET", headers=None, body=None, **where):
        answer = node.request(method, url, headers, body, **where)
        try:
            self.check(method, url, answer.status, lower(answer), answer.body)
        except (ValidationError, Undocumented) as wrong:
            raise AssertionError(f"{method} {url}: {wrong}\n{answer.status} {lower(answer)} {answer.body!r}") from None
        self.seen.add((method, self.path_of(url), answer.status))
        return answer


def samples_of(text, documented):
    """(name, label values in the order of the document): value, of all samples; each is as documented."""
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            part = re.search("_(bucket|sum|count)$", sample.name) if family.type == "histogram" else None
            kind, *labels = documented[family.name if part else sample.name]
            labels += ["le"] if part and part[1] == "bucket" else []
            assert (family.type, set(sample.labels)) == (kind, set(labels)) and family.documentation, sample
            key = (sample.name, *(sample.labels[name] for name in labels))
            assert key not in samples, f"{key} twice"
            samples[key] = sample.value
    return samples


# The source

def source(name):
    return (ROOT / name).read_text()


def table(name, array):
    """The text between the braces of a C array."""
    found = re.search(rf"\b{array}\[\w*\] = \{{(.*?)\n\}};|\b{array}\[\w*\] = \{{(.*?)\}};", source(name), re.S)
    assert found, f"{name} has no {array}[]"
    return found[1] or found[2]


def routes_of(array):
    """(method, path, class) of a table of api/."""
    files = [f for f in (ROOT / "api").glob("*.c") if f"struct route {array}[" in f.read_text()]
    assert len(files) == 1, f"{array}: {files}"
    text = table(files[0].relative_to(ROOT), array)
    rows = re.findall(r'\{\s*"(\w+)",\s*"?(BASE|)"?\s*"(/[^"]*)",\s*\w+,\s*AUTHORITY_(\w+)(?:, \.untyped = true)?\s*\}', text)
    base = re.search(r'#define BASE\s+"([^"]*)"', files[0].read_text())
    assert rows and len(rows) == text.count("AUTHORITY_"), f"{files[0]} has odd routes"
    return {(method, (base[1] if with_base else "") + path, least.lower()) for method, with_base, path, least in rows}


def tables_of(file):
    """The names of the tables that a daemon serves."""
    return [name for name in re.findall(r"\w+", re.search(r"\btables\[\] = \{([^}]*)\};", source(file))[1])
            if name != "NULL"]


def words_of(text):
    return set(re.findall(r'"([^"]*)"', text)) - {""}
