"""The registry's REST API: every operation is called, and every answer is held against the
description."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

import pytest

from engine import eventually
from martlet_registry import ADMIN, MartletRegistry
from rest_client import RestClient
from test_registry_distribution import OCI_MANIFEST, digest_of, local

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]


@pytest.fixture(scope="module")
def registry():
    with MartletRegistry(auth="token") as registry:
        yield registry


@pytest.fixture(scope="module")
def rest(registry):
    return RestClient(registry)


@pytest.fixture
def receiver():
    """An address that takes messages; `messages` holds what came."""
    with Receiver() as receiver:
        yield receiver


class Receiver:
    def __init__(self):
        self.messages: list[tuple[dict, bytes]] = []
        self.statuses: list[int] = []

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.messages.append((dict(self.headers), body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def documents(self, type: str) -> list[dict]:
        documents = [json.loads(body) for _, body in list(self.messages)]
        return [document for document in documents if document["type"] == type]


CONFIG = json.dumps({
    "os": "linux", "architecture": "amd64",
    "history": [{"created_by": "ADD files"}, {"created_by": "ENV a=b", "empty_layer": True}],
    "rootfs": {"type": "layers", "diff_ids": []}}).encode()
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"


def push(registry, repository: str, tag: str, layer: bytes | None = None, auth=ADMIN) -> str:
    """Pushes an image with one layer; gives the manifest's digest."""
    layer = layer or f"{repository}:{tag}".encode()
    for data in (CONFIG, layer):
        begun = registry.request("POST", f"/v2/{repository}/blobs/uploads/", auth=auth)
        assert begun.status == 202, begun
        mark = "&" if "?" in begun.headers["Location"] else "?"
        done = registry.request(
            "PUT", f"{local(begun.headers['Location'])}{mark}digest={digest_of(data)}", data,
            auth=auth)
        assert done.status == 201, done
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(CONFIG), "size": len(CONFIG)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": digest_of(layer), "size": len(layer)}]}).encode()
    done = registry.request("PUT", f"/v2/{repository}/manifests/{tag}", manifest,
                            {"Content-Type": OCI_MANIFEST}, auth)
    assert done.status == 201, done
    return digest_of(manifest)


def head(registry, repository: str, reference: str, auth=ADMIN) -> str | None:
    """The digest of a tag, None when there is none."""
    answer = registry.request("HEAD", f"/v2/{repository}/manifests/{reference}", auth=auth,
                              headers={"Accept": OCI_MANIFEST})
    return answer.headers["Docker-Content-Digest"] if answer.status == 200 else None


def done(rest, id: str) -> dict:
    """A job that has ended."""
    def ended():
        job = rest.job(id)
        return job if job["status"] in ("done", "errored", "canceled", "worker_dead") else None
    return eventually(ended, 60, f"job {id} ends")


# Every operation

@pytest.mark.timeout(300)
def test_every_operation_is_called_and_answers_what_is_described(registry, rest, receiver):
    """One walk through the whole API; parts of it stand by themselves below."""
    accounts(registry, rest)
    repositories(registry, rest)
    access(registry, rest)
    policies(registry, rest)
    jobs(registry, rest)
    webhooks(registry, rest, receiver)
    rest_of_it(registry, rest)
    clean_up(rest)
    assert rest.operations - rest.called == set()


def accounts(registry, rest):
    rest.user("walker", fullName="Walker")
    rest.user("second")
    rest.post("/enzi/v0/accounts", {"name": "walkers", "isOrg": True})
    page = rest.get("/enzi/v0/accounts", {"limit": 2})
    assert len(page["accounts"]) == 2 and page["nextPageStart"]
    rest_of = rest.get("/enzi/v0/accounts", {"limit": 100, "start": page["nextPageStart"]})
    names = [account["name"] for account in page["accounts"] + rest_of["accounts"]]
    assert names == sorted(names) and {"admin", "walker", "walkers"} <= set(names)
    assert rest.get("/enzi/v0/accounts/walker")["fullName"] == "Walker"
    rest.patch("/enzi/v0/accounts/walker", {"fullName": "W."})
    walker = rest.as_(("walker", "a long password"))
    walker.post("/enzi/v0/accounts/walker/changePassword",
                {"oldPassword": "a long password", "newPassword": "another password"})
    walker = rest.as_(("walker", "another password"))
    rest.put("/enzi/v0/accounts/walkers/members/walker", {"isAdmin": False})
    assert {member["member"]["name"] for member in rest.get(
        "/enzi/v0/accounts/walkers/members")["members"]} == {"admin", "walker"}
    assert [entry["member"]["name"] for entry in walker.get(
        "/enzi/v0/accounts/walker/organizations")["members"]] == ["walkers"]
    team = rest.post("/enzi/v0/accounts/walkers/teams", {"name": "feet"})
    assert rest.get("/enzi/v0/accounts/walkers/teams/feet")["id"] == team["id"]
    rest.patch("/enzi/v0/accounts/walkers/teams/feet", {"description": "two"})
    assert rest.get("/enzi/v0/accounts/walkers/teams")["teams"][0]["description"] == "two"
    rest.put("/enzi/v0/accounts/walkers/teams/feet/members/walker", {"isAdmin": True})
    rest.put("/enzi/v0/accounts/walkers/teams/feet/members/second", {})
    assert rest.get("/enzi/v0/accounts/walkers/teams/feet/members")["resourceCount"] == 2
    rest.delete("/enzi/v0/accounts/walkers/teams/feet/members/second")
    rest.delete("/enzi/v0/accounts/walkers/members/second")
    assert rest.as_(None).get("/api/v0/accounts/language")["language"]
    token = walker.post("/api/v0/api_tokens", {"tokenLabel": "ci"})
    assert token["token"]
    path = f"/api/v0/api_tokens/{token['hashedToken']}"
    assert "token" not in walker.get(path)
    assert [entry["hashedToken"] for entry in walker.get("/api/v0/api_tokens")] == [
        token["hashedToken"]]
    assert rest.get("/api/v0/api_tokens", {"username": "walker"})
    assert walker.patch(path, {"isActive": False})["isActive"] is False
    walker.delete("/api/v0/api_tokens", query={"generatedby": "user"})
    assert walker.get("/api/v0/api_tokens") == []
    token = walker.post("/api/v0/api_tokens", {})
    walker.delete(f"/api/v0/api_tokens/{token['hashedToken']}")


def repositories(registry, rest):
    made = rest.post("/api/v0/repositories/walkers", {
        "name": "boots", "visibility": "private", "shortDescription": "for feet",
        "enableManifestLists": True, "id": "ignored", "somethingElse": 1})
    assert made["visibility"] == "private" and made["namespaceType"] == "organization"
    rest.post("/api/v0/repositories/walkers", {"name": "shoes"})
    assert {entry["name"] for entry in rest.get("/api/v0/repositories/walkers")[
        "repositories"]} == {"boots", "shoes"}
    page = rest.get("/api/v0/repositories", {"pageSize": 1, "count": "true"})
    assert rest.last.headers["X-Resource-Count"] == "2"
    following = rest.get("/api/v0/repositories", {
        "pageStart": rest.last.headers["X-Next-Page-Start"]})
    assert [page["repositories"][0]["name"], following["repositories"][0]["name"]] == [
        "boots", "shoes"]
    assert rest.patch("/api/v0/repositories/walkers/boots", {"longDescription": "high"})[
        "longDescription"] == "high"
    rest.post("/api/v0/repositories/scan/toggle", {"scanOnPush": True})
    assert rest.get("/api/v0/repositories/walkers/boots")["scanOnPush"] is True
    digest = push(registry, "walkers/boots", "v1")
    push(registry, "walkers/boots", "v2")
    tags = rest.get("/api/v0/repositories/walkers/boots/tags", {
        "includeManifests": "true", "count": "true"})
    assert [tag["name"] for tag in tags] == ["v1", "v2"]
    assert rest.last.headers["X-Resource-Count"] == "2"
    history = tags[0]["manifest"]["dockerfile"]
    assert [line["line"] for line in history] == ["ADD files", "ENV a=b"]
    assert history[0]["layerDigest"] and history[1]["isEmpty"]
    shown = rest.get("/api/v0/repositories/walkers/boots/tags/v1")
    assert shown[0]["digest"] == digest and shown[0]["manifest"]["os"] == "linux"
    by_digest = rest.get(f"/api/v0/repositories/walkers/boots/tags/{digest}")
    assert [tag["name"] for tag in by_digest] == ["v1"]
    manifests = rest.get("/api/v0/repositories/walkers/boots/manifests")
    assert {manifest["digest"] for manifest in manifests} >= {digest}
    promoted = rest.post("/api/v0/repositories/walkers/boots/tags/v1/promotion", {
        "targetRepository": "walkers/shoes", "targetTag": "from-boots"})
    assert promoted["string"] == digest
    assert head(registry, "walkers/shoes", "from-boots") == digest
    mirrored = rest.post("/api/v0/repositories/walkers/boots/tags/v1/pushMirroring", {
        "remoteHost": registry.host, "remoteRepository": "walkers/shoes", "remoteTag": "mirrored",
        "username": ADMIN[0], "password": ADMIN[1]})
    assert done(rest, mirrored["jobID"])["status"] == "done"
    assert head(registry, "walkers/shoes", "mirrored") == digest
    rest.delete("/api/v0/repositories/walkers/boots/tags/v2")
    assert head(registry, "walkers/boots", "v2") is None
    begun = registry.request("POST", "/v2/walkers/boots/blobs/uploads/", auth=ADMIN)
    uploads = rest.get("/api/v0/repositories/walkers/boots/uploads")
    assert len(uploads) == 1 and rest.get("/api/v0/uploads") == uploads
    rest.delete(f"/api/v0/repositories/walkers/boots/uploads/{uploads[0]['id']}")
    assert registry.request("GET", local(begun.headers["Location"]), auth=ADMIN).status == 404
    extra = push(registry, "walkers/shoes", "extra")
    rest.delete(f"/api/v0/repositories/walkers/shoes/manifests/{extra}")
    assert head(registry, "walkers/shoes", "extra") is None
    assert rest.put("/api/v0/accounts/walkers/quota", {"maximumBytes": 1 << 30})[
        "maximumBytes"] == 1 << 30
    quota = rest.get("/api/v0/accounts/walkers/quota")
    assert quota["usedRepositories"] == 2 and quota["usedBytes"] > 0


def access(registry, rest):
    root = "/api/v0/repositories/walkers/boots/teamAccess"
    walker = rest.as_(("walker", "another password"))
    walker.refused("GET", "/api/v0/repositories/walkers/boots", 404, "NO_SUCH_REPOSITORY")
    listed = rest.put(f"{root}/feet", {"accessLevel": "read-only"})
    assert listed["teamAccessList"][0]["accessLevel"] == "read-only"
    assert rest.get(root)["repository"]["name"] == "boots"
    assert walker.get("/api/v0/repositories/walkers/boots")["name"] == "boots"
    assert walker.get("/api/v0/accounts/walker/repositoryAccess/walkers/boots")[
        "accessLevel"] == "read-only"
    assert walker.get("/api/v0/accounts/walkers/teams/feet/repositoryAccess")[
        "repositoryAccessList"][0]["accessLevel"] == "read-only"
    rest.delete(f"{root}/feet")
    namespace = "/api/v0/repositoryNamespaces/walkers/teamAccess"
    assert rest.put(f"{namespace}/feet", {"accessLevel": "admin"})["accessLevel"] == "admin"
    assert walker.get(f"{namespace}/feet")["team"]["clientUserIsMember"] is True
    assert len(walker.get(namespace)["teamAccessList"]) == 1
    walker.post("/api/v0/repositories/walkers", {"name": "made-by-team"})
    rest.delete(f"{namespace}/feet")


def policies(registry, rest):
    root = "/api/v0/repositories/walkers/boots"
    rule = [{"field": "tag", "operator": "sw", "values": ["v"]}]
    remote = {"remoteHost": registry.host, "remoteRepository": "walkers/shoes",
              "username": ADMIN[0], "password": ADMIN[1]}
    bodies = {
        "promotionPolicies": {"rules": rule, "targetRepository": "walkers/shoes",
                              "tagTemplate": "%n-promoted"},
        "pushMirroringPolicies": {"rules": rule, "tagTemplate": "%n-pushed", **remote},
        "pollMirroringPolicies": remote,
        "pruningPolicies": {"rules": [{"field": "tag", "operator": "eq", "values": ["old"]}]},
    }
    for collection, body in bodies.items():
        made = rest.post(f"{root}/{collection}", body)
        assert made["enabled"] is True
        assert "password" not in json.dumps(made)
        path = f"{root}/{collection}/{made['id']}"
        assert rest.get(path)["id"] == made["id"]
        assert [policy["id"] for policy in rest.get(f"{root}/{collection}")] == [made["id"]]
        changed = rest.put(path, {"enabled": False})
        assert changed["enabled"] is False
        if "rules" in body:
            assert changed["rules"] == body["rules"]
    arriving = rest.get("/api/v0/repositories/walkers/shoes/promotionPolicies",
                        {"source": "false"})
    assert [policy["sourceRepository"] for policy in arriving] == ["walkers/boots"]
    both = rest.get(f"{root}/mirroringPolicies")
    assert {policy["mirroringType"] for policy in both} == {"push", "poll"}
    matching = rest.post(f"{root}/pruningPolicies/test", {"rules": rule})
    assert [tag["name"] for tag in matching] == ["v1"]
    checked = rest.post("/api/v0/remote/registry", remote)
    assert checked["permissions"] == {"read": True, "write": True}
    for collection in bodies:
        for policy in rest.get(f"{root}/{collection}"):
            rest.delete(f"{root}/{collection}/{policy['id']}")
    again = rest.post(f"{root}/pollMirroringPolicies", remote)
    rest.delete(f"{root}/mirroringPolicies", [{"id": again["id"]}])
    assert rest.get(f"{root}/mirroringPolicies") == []


def jobs(registry, rest):
    job = rest.post("/api/v0/jobs", {"action": "sleep", "parameters": {"duration": "10ms"}})
    assert done(rest, job["id"])["status"] == "done"
    lines = rest.get(f"/api/v0/jobs/{job['id']}/logs")
    assert [line["data"] for line in lines] == ["sleeping for 10ms", "awake"]
    assert rest.get(f"/api/v0/jobs/{job['id']}/logs", {"offset": 1, "limit": 1}) == lines[1:2]
    assert job["id"] in [entry["id"] for entry in rest.get(
        "/api/v0/jobs", {"action": "sleep"})["jobs"]]
    rest.delete(f"/api/v0/jobs/{job['id']}")
    rest.refused("GET", f"/api/v0/jobs/{job['id']}", 404, "NO_SUCH_JOB")
    long = rest.post("/api/v0/jobs", {"action": "sleep", "parameters": {"duration": "1h"}})
    eventually(lambda: rest.job(long["id"])["status"] == "running", 30)
    rest.post(f"/api/v0/jobs/{long['id']}/cancel")
    assert done(rest, long["id"])["status"] == "canceled"
    crons = {cron["action"] for cron in rest.get("/api/v0/crons")["crons"]}
    assert {"onlinegc", "poll_mirror", "tag_pruning"} <= crons
    rest.post("/api/v0/crons", {"action": "sleep", "schedule": "0 0 1 * * 0", "retries": 0,
                                "deadline": "", "stopTimeout": "30s",
                                "parameters": {"duration": "1s"}})
    assert rest.get("/api/v0/crons/sleep")["stopTimeout"] == "30s"
    rest.delete("/api/v0/crons/sleep")
    rest.post("/api/v0/action_configs", {"action": "sleep", "parameters": {"duration": "5ms"}})
    assert rest.get("/api/v0/action_configs/sleep")["parameters"] == {"duration": "5ms"}
    assert rest.get("/api/v0/action_configs")["actionConfigs"]
    rest.delete("/api/v0/action_configs/sleep")
    worker = rest.get("/api/v0/workers")["workers"][0]
    rest.post(f"/api/v0/workers/{worker['id']}/capacity", {"capacityMap": {"sleep": 2}})
    eventually(lambda: rest.get("/api/v0/workers")["workers"][0]["capacityMap"]["sleep"] == 2, 60)


def webhooks(registry, rest, receiver):
    body = {"type": "TAG_PUSH", "key": "walkers/boots", "endpoint": receiver.url}
    assert rest.post("/api/v0/webhooks/test", body)["success"] is True
    assert receiver.documents("TAG_PUSH")[0]["contents"]["repository"] == "bar"
    made = rest.post("/api/v0/webhooks", body)
    assert made["secret"]
    assert "secret" not in rest.get("/api/v0/webhooks")[0]
    assert rest.get("/api/v0/repositories/walkers/boots/webhooks")[0]["id"] == made["id"]
    changed = rest.post("/api/v0/webhooks/update", {"id": made["id"], "inactive": True})
    assert changed[0]["inactive"] is True
    assert rest.get(f"/api/v0/webhooks/{made['id']}/deliveries") == []
    rest.post("/api/v0/webhooks", {"type": "REPO_EVENT", "key": "walkers",
                                   "endpoint": receiver.url})
    for hook in rest.get("/api/v0/accounts/walkers/webhooks"):
        rest.delete(f"/api/v0/webhooks/{hook['id']}")
    rest.delete(f"/api/v0/webhooks/{made['id']}")


def rest_of_it(registry, rest):
    assert rest.get("/api/v0/meta/features")["onlineGCEnabled"] is True
    settings = rest.get("/api/v0/meta/settings")
    assert settings["readOnlyRegistry"] is False
    changed = rest.post("/api/v0/meta/settings", {"readOnlyRegistry": True,
                                                  "jobHistoryMaxAge": "48h"})
    assert changed["readOnlyRegistry"] is True and changed["jobHistoryMaxAge"] == "48h0m0s"
    assert [alert["id"] for alert in rest.get("/api/v0/meta/alerts")] == ["read_only"]
    assert registry.request(
        "POST", "/v2/walkers/boots/blobs/uploads/", auth=ADMIN).status == 405
    rest.post("/api/v0/meta/settings", {"readOnlyRegistry": False})
    status = rest.get("/api/v0/meta/cluster_status")
    assert set(status["replica_health"].values()) == {"OK"}
    assert rest.get("/api/v0/admin/version")["version"]
    events = rest.get("/api/v0/events", {"pageSize": 100})["events"]
    assert events == sorted(events, key=lambda event: event["id"], reverse=True)
    mine = rest.get("/api/v0/repositories/walkers/boots/events", {"excludePull": "true"})
    assert {event["repository"] for event in mine["events"]} == {"walkers/boots"}
    found = rest.get("/api/v0/index/autocomplete", {"query": "boot"})
    assert [entry["name"] for entry in found["repositoryResults"]] == ["boots"]
    for path in ("/api/v0/index/dockersearch", "/v1/search"):
        assert rest.get(path, {"q": "shoes"})["results"][0]["name"] == "walkers/shoes"


def clean_up(rest):
    rest.delete("/enzi/v0/accounts/walkers/teams/feet")
    rest.delete("/api/v0/repositories/walkers/made-by-team")
    rest.delete("/api/v0/accounts/walkers/repositories")
    assert rest.get("/api/v0/repositories/walkers")["repositories"] == []
    rest.delete("/api/v0/accounts/walkers")
    rest.delete("/enzi/v0/accounts/walker")
    rest.delete("/enzi/v0/accounts/second")
    rest.refused("GET", "/enzi/v0/accounts/walker", 404, "NO_SUCH_ACCOUNT")


# Who may call what

def test_operations_are_closed_to_those_who_may_not(registry, rest):
    """Whatever is not open to everybody refuses nobody in particular with 401, and what is for
    administrators refuses users with 403."""
    user = rest.as_(rest.user("curious"))
    for path, methods in rest.description["paths"].items():
        for method, operation in methods.items():
            target = path
            for part in ("namespace", "repository", "reference", "digest", "upload", "team", "user",
                         "organization", "account", "member", "token", "id", "action"):
                target = target.replace("{%s}" % part, "sha256:" + "0" * 64
                                        if part == "digest" else "absent")
            access = operation["x-access"]
            if access != "anyone":
                answer = registry.request(method.upper(), target, b"{}")
                assert answer.status == 401, (method, target, answer)
                assert json.loads(answer.body)["errors"][0]["code"] == "NOT_AUTHENTICATED"
            if access == "administrator":
                answer = registry.request(method.upper(), target, b"{}", auth=user.auth)
                assert answer.status == 403, (method, target, answer)


def test_private_things_are_not_shown_to_exist(registry, rest):
    rest.post("/api/v0/repositories/admin", {"name": "hidden", "visibility": "private"})
    push(registry, "admin/hidden", "v1")
    other = rest.as_(rest.user("onlooker"))
    nobody = rest.as_(None)
    for path in ("", "/tags", "/tags/v1", "/manifests", "/events"):
        hidden, absent = (other.registry.request(
            "GET", f"/api/v0/repositories/admin/{name}{path}", auth=other.auth)
            for name in ("hidden", "missing"))
        assert hidden.status == absent.status == 404
        assert json.loads(hidden.body.replace(b"hidden", b"missing")) == json.loads(absent.body)
        assert nobody.registry.request(
            "GET", f"/api/v0/repositories/admin/hidden{path}").status == 401
    listed = other.get("/api/v0/repositories", {"pageSize": 1000})["repositories"]
    assert "hidden" not in {entry["name"] for entry in listed}
    events = other.get("/api/v0/events", {"pageSize": 1000})["events"]
    assert "admin/hidden" not in {event["repository"] for event in events}
    assert other.get("/api/v0/index/autocomplete", {"query": "hidden"})["repositoryResults"] == []
    rest.delete("/api/v0/repositories/admin/hidden")


def test_users_change_only_what_is_theirs(rest):
    one, two = rest.as_(rest.user("one")), rest.as_(rest.user("two"))
    one.post("/api/v0/repositories/one", {"name": "mine"})
    two.refused("PATCH", "/api/v0/repositories/one/mine", 403, "NOT_AUTHORIZED",
                {"visibility": "private"})
    two.refused("DELETE", "/api/v0/repositories/one/mine", 403, "NOT_AUTHORIZED")
    two.refused("POST", "/api/v0/repositories/one", 403, "NOT_AUTHORIZED", {"name": "theirs"})
    two.refused("PATCH", "/enzi/v0/accounts/one", 403, "NOT_AUTHORIZED", {"fullName": "x"})
    two.refused("GET", "/api/v0/api_tokens", 403, "NOT_AUTHORIZED", query={"username": "one"})
    one.refused("PATCH", "/enzi/v0/accounts/one", 403, "NOT_AUTHORIZED", {"isAdmin": True})
    one.patch("/enzi/v0/accounts/one", {"fullName": "The first"})
    two.refused("POST", "/api/v0/webhooks", 403, "NOT_AUTHORIZED",
                {"type": "TAG_PUSH", "key": "one/mine", "endpoint": "http://127.0.0.1:1/"})
    two.refused("GET", "/api/v0/accounts/one/quota", 403, "NOT_AUTHORIZED")
    one.get("/api/v0/accounts/one/quota")


# How callers say who they are

def test_ways_to_say_who_one_is(registry, rest):
    name, password = rest.user("many-ways")
    secret = rest.as_((name, password)).post("/api/v0/api_tokens", {})["token"]
    assert rest.as_((name, secret)).get("/api/v0/api_tokens")
    token = registry.token(auth=(name, password))
    assert rest.as_(token).get("/api/v0/api_tokens")
    refused = rest.as_((name, "wrong password"))
    refused.refused("GET", "/api/v0/api_tokens", 401, "NOT_AUTHENTICATED")
    limited = registry.token("repository:many-ways/x:pull,push", (name, password))
    rest.as_(limited).refused("GET", "/api/v0/api_tokens", 403, "NOT_AUTHORIZED")


def test_a_browser_logs_in_and_changes_only_with_its_token(registry, rest):
    name, password = rest.user("browser")
    form = urlencode({"username": name, "password": password}).encode()
    answer = registry.request("POST", "/login_submit", form,
                              {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer
    cookies = dict(value.split(";")[0].split("=", 1)
                   for value in answer.headers.get_all("Set-Cookie"))
    raw = {value.split("=", 1)[0]: value for value in answer.headers.get_all("Set-Cookie")}
    assert "HttpOnly" in raw["root_session"] and "HttpOnly" not in raw["csrftoken"]
    assert all("SameSite=Lax" in value for value in raw.values())
    cookie = {"Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items())}
    nobody = rest.as_(None)
    assert nobody.call("GET", "/api/v0/api_tokens", headers=cookie) == []
    nobody.call("POST", "/api/v0/api_tokens", {}, 403, headers=cookie)
    nobody.call("POST", "/api/v0/api_tokens", {}, 403,
                headers=cookie | {"X-Csrf-Token": "0" * 64})
    nobody.call("POST", "/api/v0/api_tokens", {},
                headers=cookie | {"X-Csrf-Token": cookies["csrftoken"]})
    assert registry.request("GET", "/logout", headers=cookie).status == 204
    nobody.call("GET", "/api/v0/api_tokens", status=401, headers=cookie)
    wrong = urlencode({"username": name, "password": "wrong"}).encode()
    assert registry.request("POST", "/login_submit", wrong).status == 401


# What is refused

@pytest.mark.parametrize("method, path, body, status, code", [
    ("POST", "/api/v0/repositories/admin", {"name": "UPPER"}, 400, "INVALID_REPOSITORY_NAME"),
    ("POST", "/api/v0/repositories/admin", {}, 400, "INVALID_REPOSITORY_NAME"),
    ("POST", "/api/v0/repositories/admin", {"name": "x", "visibility": "odd"}, 400,
     "INVALID_REPOSITORY_VISIBILITY"),
    ("POST", "/api/v0/repositories/admin", {"name": "x", "immutableTags": True, "tagLimit": 3},
     400, "INVALID_PARAMETERS"),
    ("POST", "/api/v0/repositories/absent", {"name": "x"}, 404, "NO_SUCH_ACCOUNT"),
    ("GET", "/api/v0/repositories/admin/absent", None, 404, "NO_SUCH_REPOSITORY"),
    ("POST", "/api/v0/jobs", {"action": "absent"}, 400, "INVALID_PARAMETERS"),
    ("POST", "/api/v0/crons", {"action": "sleep", "schedule": "x"}, 400, "INVALID_PARAMETERS"),
    ("GET", "/api/v0/crons/absent", None, 404, "NO_SUCH_CRON"),
    ("POST", "/api/v0/meta/settings", {"jobHistoryMaxAge": "x"}, 400, "INVALID_SETTINGS"),
    ("POST", "/enzi/v0/accounts", {"name": "Bad Name", "password": "a long password"}, 400,
     "INVALID_PARAMETERS"),
    ("POST", "/enzi/v0/accounts", {"name": "short", "password": "x"}, 400, "INVALID_PASSWORD"),
    ("POST", "/enzi/v0/accounts", {"name": "admin", "password": "a long password"}, 400,
     "ACCOUNT_EXISTS"),
    ("DELETE", "/api/v0/webhooks/absent", None, 404, "NO_SUCH_WEBHOOK"),
    ("POST", "/api/v0/webhooks", {"type": "X", "endpoint": "http://a/"}, 400,
     "INVALID_PARAMETERS"),
    ("POST", "/api/v0/webhooks", {"type": "TAG_PUSH", "endpoint": "file:///etc/passwd"}, 400,
     "INVALID_PARAMETERS"),
    ("POST", "/api/v0/workers/absent/capacity", {"capacityMap": {}}, 404, "NO_SUCH_WORKER"),
])
def test_what_cannot_be_done_is_refused(rest, method, path, body, status, code):
    rest.refused(method, path, status, code, body)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": 3}', b"\xff", b"[" * 100_000,
                                  b'{"name": "' + b"x" * (2 << 20) + b'"}'])
def test_documents_that_are_none(registry, body):
    answer = registry.request("POST", "/api/v0/repositories/admin", body,
                              {"Content-Type": "application/json"}, ADMIN)
    assert answer.status in (400, 413), answer
    assert registry.request("GET", "/api/v0/meta/features", auth=ADMIN).status == 200


def test_paths_that_are_none(registry):
    for method, path, status in [
            ("GET", "/api/v0/absent", 404), ("GET", "/api/v0/", 404),
            ("PUT", "/api/v0/events", 405), ("GET", "/api/v0/repositories/%zz", 400),
            ("GET", "/api/v0/repositories/admin/%00", 400),
            ("GET", "/api/v0/repositories/admin/..%2f..%2fx", 404)]:
        answer = registry.request(method, path, auth=ADMIN)
        assert answer.status == status, (path, answer)
        assert json.loads(answer.body)["errors"]


# Policies at work

def test_promotion_follows_pushes(registry, rest):
    for name in ("dev", "prod"):
        rest.post("/api/v0/repositories/admin", {"name": f"promotion-{name}"})
    push(registry, "admin/promotion-dev", "v0")
    rest.post("/api/v0/repositories/admin/promotion-dev/promotionPolicies", {
        "rules": [{"field": "tag", "operator": "matches", "values": ["^v[0-9]+$"]}],
        "targetRepository": "admin/promotion-prod", "tagTemplate": "%n-stable"},
        query={"initialEvaluation": "true"})
    eventually(lambda: head(registry, "admin/promotion-prod", "v0-stable"), 60)
    digest = push(registry, "admin/promotion-dev", "v1")
    push(registry, "admin/promotion-dev", "latest")
    assert eventually(lambda: head(registry, "admin/promotion-prod", "v1-stable"), 60) == digest
    assert head(registry, "admin/promotion-prod", "latest-stable") is None
    policy = eventually(lambda: [
        policy for policy in rest.get(
            "/api/v0/repositories/admin/promotion-dev/promotionPolicies")
        if policy.get("lastStatus")], 60)[0]
    assert policy["lastStatus"]["code"] == "SUCCESS"


def test_pruning_deletes_what_matches(registry, rest):
    rest.post("/api/v0/repositories/admin", {"name": "pruned"})
    for tag in ("old-1", "old-2", "kept"):
        push(registry, "admin/pruned", tag)
    rest.post("/api/v0/repositories/admin/pruned/pruningPolicies", {
        "rules": [{"field": "tag", "operator": "sw", "values": ["old-"]}]},
        query={"initialEvaluation": "true"})
    eventually(lambda: [tag["name"] for tag in rest.get(
        "/api/v0/repositories/admin/pruned/tags")] == ["kept"], 60)


def test_mirroring_between_two_registries(registry, rest):
    """A push goes to the other registry at once; what the other has is fetched when it is polled."""
    with MartletRegistry(auth="token") as other:
        far = RestClient(other)
        far.post("/api/v0/repositories/admin", {"name": "far"})
        rest.post("/api/v0/repositories/admin", {"name": "near", "visibility": "private"})
        remote = {"remoteHost": f"http://{other.host}", "remoteRepository": "admin/far",
                  "username": ADMIN[0], "password": ADMIN[1]}
        made = rest.post("/api/v0/repositories/admin/near/pushMirroringPolicies", {
            "rules": [{"field": "tag", "operator": "sw", "values": ["out"]}],
            "tagTemplate": "%n", **remote})
        digest = push(registry, "admin/near", "out-1", b"x" * (3 << 20))
        assert eventually(lambda: head(other, "admin/far", "out-1"), 60) == digest
        status = eventually(lambda: rest.get(
            f"/api/v0/repositories/admin/near/pushMirroringPolicies/{made['id']}")[
                "lastStatus"]["code"], 60)
        assert status == "SUCCESS"
        # the layer came whole
        layer = other.request("GET", f"/v2/admin/far/blobs/{digest_of(b'x' * (3 << 20))}",
                              auth=ADMIN)
        assert layer.status == 200 and layer.body == b"x" * (3 << 20)

        back = push(other, "admin/far", "in-1")
        rest.post("/api/v0/repositories/admin/near/pollMirroringPolicies",
                  remote | {"rules": [], "tagTemplate": "%n"},
                  query={"initialEvaluation": "true"})
        assert eventually(lambda: head(registry, "admin/near", "in-1"), 60) == back
        wrong = rest.post("/api/v0/repositories/admin/near/pushMirroringPolicies", {
            **remote, "password": "wrong"})
        push(registry, "admin/near", "fresh")
        job = rest.post("/api/v0/jobs", {"action": "push_mirror_tag", "retries": 0,
                                         "parameters": {"policy": wrong["id"]}})
        assert done(rest, job["id"])["status"] == "errored"
        failed = rest.get(f"/api/v0/repositories/admin/near/pushMirroringPolicies/{wrong['id']}")
        assert failed["lastStatus"]["code"] == "REMOTE_FAILED"


# Webhooks at work

def test_webhooks_tell_what_happens_and_try_again(registry, rest, receiver):
    rest.post("/api/v0/repositories/admin", {"name": "told"})
    hooks = [rest.post("/api/v0/webhooks", {
        "type": type, "key": "admin/told", "endpoint": receiver.url})
        for type in ("TAG_PUSH", "TAG_DELETE", "TAG_PULL", "MANIFEST_PUSH")]
    rest.post("/api/v0/webhooks", {"type": "REPO_DELETED", "key": "admin",
                                   "endpoint": receiver.url})
    receiver.statuses = [500]
    digest = push(registry, "admin/told", "v1")
    pushed = eventually(lambda: receiver.documents("TAG_PUSH"), 60)[0]
    assert pushed["contents"]["digest"] == digest
    assert pushed["contents"]["imageName"].endswith("/admin/told:v1")
    assert pushed["contents"]["os"] == "linux"
    assert pushed["location"] == "/repositories/admin/told/tags/v1"
    eventually(lambda: receiver.documents("MANIFEST_PUSH"), 60)
    registry.request("GET", "/v2/admin/told/manifests/v1", auth=ADMIN,
                     headers={"Accept": OCI_MANIFEST})
    eventually(lambda: receiver.documents("TAG_PULL"), 60)
    rest.delete("/api/v0/repositories/admin/told/tags/v1")
    eventually(lambda: receiver.documents("TAG_DELETE"), 60)
    # One message was answered with 500 and came again.
    eventually(lambda: any(
        [delivery["success"] for delivery in rest.get(f"/api/v0/webhooks/{hook['id']}/deliveries")]
        == [True, False] for hook in hooks), 60)
    rest.delete("/api/v0/repositories/admin/told")
    deleted = eventually(lambda: receiver.documents("REPO_DELETED"), 60)[0]
    assert deleted["contents"]["event"] == "REPO_DELETED"
    for headers, _ in receiver.messages:
        assert headers["webhook-signature"].startswith("v1,") and headers["webhook-id"]


# Jobs at work

def test_garbage_is_collected_by_a_job(registry, rest):
    rest.post("/api/v0/repositories/admin", {"name": "garbage"})
    layer = b"g" * 100_000
    push(registry, "admin/garbage", "v1", layer)
    rest.delete("/api/v0/repositories/admin/garbage")
    job = rest.post("/api/v0/jobs", {"action": "onlinegc", "parameters": {"grace": "0s"}})
    ended = done(rest, job["id"])
    assert ended["status"] == "done" and "blobs" in ended["result"]
    rest.post("/api/v0/repositories/admin", {"name": "garbage"})
    assert registry.request("HEAD", f"/v2/admin/garbage/blobs/{digest_of(layer)}",
                            auth=ADMIN).status == 404
    mounted = registry.request("POST", f"/v2/admin/garbage/blobs/uploads/?mount="
                               f"{digest_of(layer)}", auth=ADMIN)
    assert mounted.status == 202  # it is nowhere any more


def test_jobs_and_policies_survive_restarts(registry, rest):
    with MartletRegistry(auth="token") as mine:
        own = RestClient(mine)
        job = own.post("/api/v0/jobs", {"action": "sleep", "parameters": {"duration": "2s"}})
        later = own.post("/api/v0/jobs", {
            "action": "sleep", "parameters": {"duration": "1ms"},
            "scheduledAt": "2100-01-01T00:00:00Z"})
        eventually(lambda: own.job(job["id"])["status"] == "running", 30)
        own.post("/api/v0/repositories/admin", {"name": "kept"})
        own.post("/api/v0/repositories/admin/kept/pruningPolicies", {
            "rules": [{"field": "tag", "operator": "eq", "values": ["x"]}]})
        mine.kill()
        mine.start()
        assert done(own, job["id"])["status"] == "done"
        assert own.job(later["id"])["status"] == "waiting"
        assert len(own.get("/api/v0/repositories/admin/kept/pruningPolicies")) == 1
        mine.stop()
        mine.start()
        assert own.job(later["id"])["status"] == "waiting"


def test_a_failed_job_is_tried_again(rest):
    job = rest.post("/api/v0/jobs", {"action": "false", "retries": 1})
    assert done(rest, job["id"])["status"] == "errored"
    again = eventually(lambda: [
        entry for entry in rest.get("/api/v0/jobs", {"action": "false"})["jobs"]
        if entry["retryFromID"] == job["id"]], 30)[0]
    assert again["retriesLeft"] == 0
    assert done(rest, again["id"])["status"] == "errored"


def test_quotas_hold(registry, rest):
    name, password = rest.user("small")
    rest.put("/api/v0/accounts/small/quota", {"maximumBytes": 10_000, "maximumRepositories": 1})
    small = rest.as_((name, password))
    small.post("/api/v0/repositories/small", {"name": "one"})
    small.refused("POST", "/api/v0/repositories/small", 403, "QUOTA_EXCEEDED", {"name": "two"})
    data = b"z" * 20_000
    begun = registry.request("POST", "/v2/small/one/blobs/uploads/", auth=small.auth)
    mark = "&" if "?" in begun.headers["Location"] else "?"
    refused = registry.request(
        "PUT", f"{local(begun.headers['Location'])}{mark}digest={digest_of(data)}", data,
        auth=small.auth)
    assert refused.status == 403, refused
    push(registry, "small/one", "v1", auth=small.auth)
