"""A registry in memory for tests, with faults to order.

    fake_registry.py PORT [--token USER:PASSWORD] [--break-after BYTES] [--no-range]
                          [--corrupt] [--schema1] [--stall]

--token        wants bearer tokens from its own /token; anonymous tokens may only pull `public/...`
--break-after  cuts the connection after so many bytes of a blob, the first time each range is asked
--no-range     answers 200 to range requests
--corrupt      flips a byte of every large blob
--schema1      answers manifests of schema 1
--stall        sends half of each large blob and then nothing more
GET /_requests lists what was asked, for tests to read.
"""

import base64
import hashlib
import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

arguments = sys.argv[2:]
port = int(sys.argv[1])


def option(name):
    return arguments[arguments.index(name) + 1] if name in arguments else None


token_user = option("--token")
break_after = int(option("--break-after") or 0)
blobs, manifests, requests, broken = {}, {}, [], set()
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def error(self, status, code, message, headers=None):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, headers)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while True:
                size = int(self.rfile.readline(), 16)
                data += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def allowed(self, name, push):
        if not token_user:
            return True
        want = f"repository:{name}:{'pull,push' if push else 'pull'}"
        bearer = self.headers.get("Authorization", "")
        if bearer.startswith("Bearer "):
            try:
                scopes = json.loads(base64.b64decode(bearer[7:]))
                for scope in scopes:
                    kind, repo, actions = scope.split(":", 2)
                    if repo == name and set(want.split(":")[2].split(",")) <= set(actions.split(",")):
                        return True
            except ValueError:
                pass
        challenge = f'Bearer realm="http://127.0.0.1:{port}/token",service="fake",scope="{want}"'
        if not name:
            challenge = f'Bearer realm="http://127.0.0.1:{port}/token",service="fake"'
            if bearer.startswith("Bearer "):
                return True
        self.error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
        return False

    def token(self, query, form=None):
        scopes = query.get("scope", [])
        authorization = self.headers.get("Authorization", "")
        known = form is not None and form.get("refresh_token") == ["refresh-me"]
        if form is not None:
            scopes = form.get("scope", [""])[0].split()
            if not known:
                return self.error(401, "UNAUTHORIZED", "bad refresh token")
        if authorization.startswith("Basic "):
            if base64.b64decode(authorization[6:]).decode() != token_user:
                return self.error(401, "UNAUTHORIZED", "incorrect username or password")
            known = True
        if not known:
            scopes = [s for s in scopes if s.startswith("repository:public/") and s.endswith(":pull")]
        token = base64.b64encode(json.dumps(scopes).encode()).decode()
        answer = {"token": token, "expires_in": 300}
        if query.get("offline_token"):
            answer["refresh_token"] = "refresh-me"
        self.answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def route(self):
        url = urlparse(self.path)
        query = parse_qs(url.query)
        if url.path == "/_requests":
            return self.answer(200, json.dumps(requests).encode())
        with lock:
            requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        if url.path == "/token":
            form = parse_qs(self.body().decode()) if self.command == "POST" else None
            return self.token(query, form)
        if url.path == "/v2/":
            if self.allowed("", False):
                self.answer(200, b"{}")
            return
        path = url.path[len("/v2/"):]
        for kind in ("/manifests/", "/blobs/uploads/", "/blobs/", "/tags/list"):
            if kind in path or path.endswith(kind):
                name, rest = path.split(kind, 1)
                break
        else:
            return self.error(404, "NAME_UNKNOWN", "no such page")
        push = self.command in ("POST", "PUT", "PATCH")
        if not self.allowed(name, push):
            self.close_connection = push
            return
        if kind == "/manifests/":
            return self.manifest(name, rest)
        if kind == "/tags/list":
            tags = sorted(t for (n, t) in manifests if n == name and not t.startswith("sha256:"))
            return self.answer(200, json.dumps({"name": name, "tags": tags}).encode())
        if kind == "/blobs/uploads/":
            return self.upload(name, rest, query)
        return self.blob(rest)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = route

    def manifest(self, name, reference):
        if self.command == "PUT":
            data = self.body()
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            manifests[name, reference] = manifests[name, digest] = (data, self.headers["Content-Type"])
            return self.answer(201, b"", {"Docker-Content-Digest": digest})
        if "--schema1" in arguments:
            body = json.dumps({"schemaVersion": 1, "fsLayers": [], "history": []}).encode()
            kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
            return self.answer(200, body, {"Content-Type": kind})
        if (name, reference) not in manifests:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        data, kind = manifests[name, reference]
        self.answer(200, data, {"Content-Type": kind})

    def upload(self, name, rest, query):
        if self.command == "POST":
            if "mount" in query and query["mount"][0] in blobs:
                return self.answer(201)
            return self.answer(202, b"", {"Location": f"/v2/{name}/blobs/uploads/1?state=x"})
        data = self.body()
        digest = query["digest"][0]
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            return self.error(400, "DIGEST_INVALID", "wrong digest")
        blobs[digest] = data
        self.answer(201)

    def blob(self, digest):
        if digest not in blobs:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown")
        data = blobs[digest]
        is_large = len(data) > 100_000
        if is_large and "--corrupt" in arguments:
            data = data[:-1] + bytes([data[-1] ^ 1])
        status, headers, start = 200, {}, 0
        wanted = self.headers.get("Range")
        if wanted and "--no-range" not in arguments:
            start = int(wanted.split("=")[1].rstrip("-"))
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        rest = data[start:]
        with lock:
            cut = is_large and break_after and (digest, wanted) not in broken
            broken.add((digest, wanted))
        if self.command == "HEAD" or not (cut or (is_large and "--stall" in arguments)):
            return self.answer(status, rest, headers)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if "--stall" in arguments:
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            time.sleep(600)
        self.wfile.write(rest[:break_after])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
