"""The command line of the registry: real commands against a real registry."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine import BINARY, eventually
from martlet_registry import ADMIN, MartletRegistry, free_port
from test_registry import certificate
from test_registry_distribution import OCI_MANIFEST, digest_of, local, manifest_of
from test_registry_rest import Receiver

# Some start a process for each of many commands.
pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon, pytest.mark.timeout(300)]

USAGE, NOT_FOUND, UNREACHABLE, NOT_ALLOWED, CONFIGURATION = 64, 66, 69, 77, 78


class Result:
    def __init__(self, process: subprocess.CompletedProcess):
        self.status = process.returncode
        self.out, self.err = process.stdout.decode(), process.stderr.decode()

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, without its head."""
        return [re.split(r"\s{2,}", line) for line in self.lines[1:]]

    def __repr__(self):
        return f"<{self.status}\n{self.out}\n{self.err}>"


class CommandLine:
    """`martlet registry` as a user with a configuration folder of their own."""

    def __init__(self, registry: MartletRegistry | None, auth=ADMIN):
        self.folder = tempfile.mkdtemp(prefix="martlet-cli-", dir="/var/tmp")
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("MARTLET_REGISTRY_", "REGISTRY_"))}
        self.environment["XDG_CONFIG_HOME"] = self.folder
        if registry:
            self.environment["MARTLET_REGISTRY_SERVER"] = registry.host
        if auth:
            self.environment["MARTLET_REGISTRY_USERNAME"] = auth[0]
            self.environment["MARTLET_REGISTRY_PASSWORD"] = auth[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def logins(self) -> Path:
        return Path(self.folder) / "martlet/registry.json"

    def __call__(self, *words: str, stdin: str = "") -> Result:
        return Result(subprocess.run(
            [BINARY, "registry", *words], input=stdin.encode(), env=self.environment,
            capture_output=True, timeout=120, check=False))

    def ok(self, *words: str, stdin: str = "") -> Result:
        result = self(*words, stdin=stdin)
        assert result.status == 0, result
        assert "\x1b" not in result.out + result.err, "no colours where nobody watches"
        return result

    def refused(self, status: int, code: str, *words: str, stdin: str = "") -> Result:
        result = self(*words, stdin=stdin)
        assert result.status == status, result
        assert re.fullmatch(rf"martlet: .+ \({code}\)", result.err.splitlines()[-1]), result
        return result


@pytest.fixture(scope="module")
def registry():
    with MartletRegistry(auth="token") as registry:
        yield registry


@pytest.fixture
def cli(registry):
    with CommandLine(registry) as cli:
        yield cli


@pytest.fixture
def anonymous(registry):
    with CommandLine(registry, auth=None) as cli:
        yield cli


def push(registry: MartletRegistry, repository: str, tag: str, content: bytes = b"a layer") -> str:
    """An image of one layer; its digest."""
    token = registry.token(f"repository:{repository}:pull,push", auth=ADMIN)
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    for blob in (config, content):
        begun = registry.request("POST", f"/v2/{repository}/blobs/uploads/", b"", auth=token)
        assert begun.status == 202, begun
        place = local(begun.headers["Location"])
        mark = "&" if "?" in place else "?"
        done = registry.request("PUT", f"{place}{mark}digest={digest_of(blob)}", blob, auth=token)
        assert done.status == 201, done
    manifest = manifest_of(config, [content])
    answer = registry.request("PUT", f"/v2/{repository}/manifests/{tag}", manifest,
                              {"Content-Type": OCI_MANIFEST}, auth=token)
    assert answer.status == 201, answer
    return digest_of(manifest)


# Logging in


def test_login_keeps_a_token_and_logout_deletes_it(registry, anonymous):
    cli = anonymous
    cli.refused(NOT_ALLOWED, "NOT_AUTHENTICATED", "user", "list")
    cli.refused(NOT_ALLOWED, "NOT_AUTHENTICATED", "login", "-u", "admin", "--password-stdin",
                stdin="wrong\n")
    assert not cli.logins.exists()
    assert "logged in" in cli.ok("login", "-u", "admin", "--password-stdin",
                                 stdin=ADMIN[1] + "\n").out
    assert cli.logins.stat().st_mode & 0o777 == 0o600
    assert cli.logins.parent.stat().st_mode & 0o777 == 0o700
    text = cli.logins.read_text()
    assert ADMIN[1] not in text
    login = json.loads(text)["logins"][0]
    assert login["username"] == "admin" and login["server"] == "http://" + registry.host

    def tokens():
        return cli.ok("token", "list", "--quiet").lines

    assert login["tokenID"] in tokens()
    # a second login takes the place of the first
    cli.ok("login", "-u", "admin", "--password-stdin", stdin=ADMIN[1] + "\n")
    second = json.loads(cli.logins.read_text())["logins"]
    assert len(second) == 1 and second[0]["tokenID"] != login["tokenID"]
    assert login["tokenID"] not in tokens() and second[0]["tokenID"] in tokens()
    # the server need not be named any more
    del cli.environment["MARTLET_REGISTRY_SERVER"]
    cli.ok("user", "list")
    cli.ok("logout")
    assert json.loads(cli.logins.read_text())["logins"] == []
    with CommandLine(registry) as admin:
        assert second[0]["tokenID"] not in admin.ok("token", "list", "--quiet").lines
    cli.refused(NOT_FOUND, "NOT_LOGGED_IN", "logout", registry.host)


def test_login_at_a_server_that_is_named_and_token_as_password(registry):
    with CommandLine(None, auth=None) as cli:
        cli.ok("login", registry.host, "-u", "admin", "--password-stdin", stdin=ADMIN[1])
        token = json.loads(cli.logins.read_text())["logins"][0]["token"]
        cli.logins.unlink()
        cli.ok("user", "list", "--server", registry.host, "-u", "admin", "--password-stdin",
               stdin=token)


def test_a_password_is_typed_unseen(registry, anonymous):
    process, terminal = pty.fork()
    if process == 0:
        os.execve(BINARY, [BINARY, "registry", "login", "-u", "admin"], anonymous.environment)
    shown = b""
    try:
        def prompted():
            nonlocal shown
            shown += os.read(terminal, 1024)
            return b"Password: " in shown

        eventually(prompted, 30, "the password is asked for")
        os.write(terminal, ADMIN[1].encode() + b"\n")
        while True:
            try:
                piece = os.read(terminal, 1024)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
        _, status = os.waitpid(process, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert b"logged in" in shown and ADMIN[1].encode() not in shown
    anonymous.ok("logout")


def test_a_broken_file_of_logins_is_named(registry, anonymous):
    anonymous.logins.parent.mkdir(parents=True)
    anonymous.logins.write_text("{ not json")
    result = anonymous.refused(CONFIGURATION, "BROKEN_CONFIGURATION", "repo", "list")
    assert str(anonymous.logins) in result.err


def test_passwords_do_not_travel_in_the_clear(anonymous):
    for words in (["--server", "http://registry.example.com"], ["--server", "ftp://localhost"],
                  ["--server", "a b"]):
        anonymous.refused(USAGE, "USAGE", "repo", "list", *words)


# How commands end and what they print


def test_statuses(registry, cli):
    nobody = f"127.0.0.1:{free_port()}"
    result = cli.refused(UNREACHABLE, "UNREACHABLE", "repo", "list", "--server", nobody)
    assert nobody in result.err
    cli.refused(NOT_FOUND, "NO_SUCH_REPOSITORY", "repo", "show", "admin/nothing")
    cli.refused(1, "INVALID_PARAMETERS", "user", "create", "NOT A NAME", "--no-password")
    cli.refused(1, "LAST_ADMINISTRATOR", "user", "update", "admin", "--no-admin")
    cli.refused(NOT_ALLOWED, "NOT_AUTHENTICATED", "user", "list", "--password-stdin", "-u",
                "nobody", stdin="a wrong password")
    for words in (["repo", "show", "no-slash"], ["repo", "lst"], ["repo", "list", "--limit", "0"],
                  ["job", "run", "sleep", "no-equals-sign"], ["repo", "list", "--output", "xml"]):
        assert cli(*words).status == USAGE, words
    cli.refused(USAGE, "USAGE", "repo", "list", "--timeout", "soon")
    cli.refused(USAGE, "USAGE", "user", "create", "somebody")
    cli.refused(USAGE, "USAGE", "user", "list", "--ca-file", "/nowhere")


def test_help_teaches(cli):
    text = cli.ok("--help").out
    for word in ("serve", "init", "gc", "user", "org", "team", "repo", "token", "policy", "mirror",
                 "webhook", "job", "settings", "status", "66", "77"):
        assert re.search(rf"^\s+{word}\s", text, re.M), word
    for group in ("repo", "user", "org", "team", "token", "policy", "mirror", "webhook", "job",
                  "cron", "worker", "gc", "settings", "login", "events"):
        text = cli.ok(group, "--help").out
        assert "EXAMPLES" in text and f"martlet registry {group}" in text, group


def test_every_command_of_the_page_is_one(cli):
    page = (Path(__file__).resolve().parents[2] / "docs/registry-cli.md").read_text()
    commands = re.findall(r"^\| martlet registry ([a-z -]+?) \|", page, re.M)
    assert len(commands) > 70
    for command in commands:
        text = cli(*command.split(), "--help").out
        assert f"USAGE: martlet registry {command} " in text, command


# Groups of commands


def test_repositories(registry, cli):
    made = cli.ok("repo", "create", "admin/shop", "--private", "--description", "sells things",
                  "--output", "json").json
    assert made["visibility"] == "private" and made["shortDescription"] == "sells things"
    assert cli.ok("repo", "create", "admin/shelf").out == "repository admin/shelf created\n"
    assert cli.ok("repo", "create", "admin/box", "-q").out == "admin/box\n"
    cli.refused(1, "REPOSITORY_EXISTS", "repo", "create", "admin/box")
    listed = cli.ok("repo", "list", "admin")
    assert listed.lines[0].split() == [
        "REPOSITORY", "VISIBILITY", "TAGS", "PULLS", "PUSHES", "DESCRIPTION"]
    rows = {row[0]: row for row in listed.rows}
    assert rows["admin/shop"][1:] == ["private", "any", "0", "0", "sells things"]
    document = cli.ok("repo", "list", "admin", "--output", "json").json
    assert {"admin/shop", "admin/shelf", "admin/box"} <= {
        f"{entry['namespace']}/{entry['name']}" for entry in document["repositories"]}
    assert len(cli.ok("repo", "list", "--limit", "2", "-q").lines) == 2
    cli.ok("repo", "update", "admin/shop", "--public", "--tag-limit", "5")
    shown = cli.ok("repo", "show", "admin/shop").out
    assert re.search(r"^Visibility: +public$", shown, re.M), shown
    assert re.search(r"^Tag limit: +5$", shown, re.M), shown
    cli.refused(USAGE, "USAGE", "repo", "update", "admin/shop")
    cli.ok("repo", "delete", "admin/shop")
    cli.refused(NOT_FOUND, "NO_SUCH_REPOSITORY", "repo", "delete", "admin/shop")


def test_lists_are_read_to_their_end(registry, cli):
    """More repositories than come in one page."""
    cli.ok("org", "create", "many")
    for number in range(510):
        answer = registry.request(
            "POST", "/api/v0/repositories/many", json.dumps({"name": f"r{number:04}"}),
            {"Content-Type": "application/json"}, auth=ADMIN)
        assert answer.status == 201, answer
    names = [f"many/r{number:04}" for number in range(510)]
    assert cli.ok("repo", "list", "many", "--quiet").lines == names
    assert len(cli.ok("repo", "list", "many", "--output", "json").json["repositories"]) == 510
    assert cli.ok("repo", "list", "many", "--quiet", "--limit", "505").lines == names[:505]
    assert len(cli.ok("repo", "list", "many").lines) == 511
    cli.ok("org", "delete", "many")
    cli.refused(NOT_FOUND, "NO_SUCH_ACCOUNT", "repo", "list", "many")


def test_tags_and_manifests(registry, cli):
    cli.ok("repo", "create", "admin/tagged")
    cli.ok("repo", "create", "admin/released")
    digest = push(registry, "admin/tagged", "v1")
    push(registry, "admin/tagged", "v2", b"another layer")
    tags = cli.ok("repo", "tags", "admin/tagged")
    assert [row[0] for row in tags.rows] == ["v1", "v2"]
    assert tags.rows[0][1] == digest[:19] and tags.rows[0][2] == "linux/amd64"
    assert [tag["digest"] for tag in
            cli.ok("repo", "tags", "admin/tagged", digest, "--output", "json").json] == [digest]
    assert digest in cli.ok("repo", "manifests", "admin/tagged", "-q").lines
    cli.ok("repo", "promote", "admin/tagged", "v1", "admin/released", "--target-tag", "stable")
    assert cli.ok("repo", "tags", "admin/released", "-q").lines == ["stable"]
    cli.ok("repo", "delete-tag", "admin/tagged", "v2")
    cli.refused(NOT_FOUND, "NO_SUCH_TAG", "repo", "delete-tag", "admin/tagged", "v2")
    cli.ok("repo", "delete-manifest", "admin/tagged", digest)
    assert cli.ok("repo", "tags", "admin/tagged", "-q").lines == []
    events = cli.ok("repo", "events", "admin/tagged", "--type", "create", "--output", "json").json
    assert {"v1", "v2"} <= {event["object"]["name"] for event in events["events"]}
    assert cli.ok("events", "--limit", "3").lines[0].split()[:3] == ["TIME", "TYPE", "OBJECT"]
    assert len(cli.ok("events", "--limit", "3", "-q").lines) == 3
    assert cli.ok("events", "--until", "100d", "-q").lines == []


def test_uploads_and_quotas(registry, cli):
    cli.ok("repo", "create", "admin/loading")
    token = registry.token("repository:admin/loading:pull,push", auth=ADMIN)
    begun = registry.request("POST", "/v2/admin/loading/blobs/uploads/", b"", auth=token)
    assert begun.status == 202
    (upload,) = cli.ok("repo", "uploads", "admin/loading", "-q").lines
    assert upload in cli.ok("repo", "uploads").out
    cli.ok("repo", "cancel-upload", "admin/loading", upload)
    assert cli.ok("repo", "uploads", "admin/loading", "-q").lines == []
    cli.ok("org", "create", "small")
    quota = cli.ok("repo", "quota", "small", "--bytes", "10GB", "--repositories", "1",
                   "--output", "json").json
    assert quota["maximumBytes"] == 10 ** 10 and quota["maximumRepositories"] == 1
    shown = cli.ok("repo", "quota", "small").out
    assert "0 B of 10 GB" in shown and "0 of 1" in shown
    cli.ok("repo", "create", "small/one")
    cli.refused(1, "QUOTA_EXCEEDED", "repo", "create", "small/two")
    assert cli("repo", "quota", "small", "--bytes", "much").status == USAGE


def test_users_and_passwords(registry, cli):
    cli.ok("user", "create", "walter", "--full-name", "Walter W", "--new-password-stdin",
           stdin="a first password\n")
    assert ["walter", "Walter W", "user", "active"] in cli.ok("user", "list").rows
    assert cli.ok("user", "show", "walter", "--output", "json").json["fullName"] == "Walter W"
    with CommandLine(registry, ("walter", "a first password")) as walter:
        walter.ok("token", "list")
        walter.refused(NOT_ALLOWED, "NOT_AUTHORIZED", "user", "create", "x-y", "--no-password")
        walter.ok("user", "password", "--new-password-stdin",
                  stdin="a first password\na second password\n")
        walter.refused(NOT_ALLOWED, "NOT_AUTHENTICATED", "token", "list")
        walter.environment["MARTLET_REGISTRY_PASSWORD"] = "a second password"
        walter.ok("token", "list")
    # both passwords may come by standard input: who asks first
    cli.ok("user", "password", "walter", "-u", "admin", "--password-stdin", "--new-password-stdin",
           stdin=f"{ADMIN[1]}\na third password\n")
    with CommandLine(registry, ("walter", "a third password")) as walter:
        walter.ok("token", "list")
    cli.ok("user", "update", "walter", "--admin", "--inactive", "--full-name", "W")
    assert ["walter", "W", "admin", "inactive"] in cli.ok(
        "user", "list", "--filter", "inactive-users").rows
    cli.ok("user", "delete", "walter")
    cli.refused(NOT_FOUND, "NO_SUCH_ACCOUNT", "user", "show", "walter")


def test_organizations_teams_and_access(registry, cli):
    cli.ok("org", "create", "guild", "--full-name", "The guild")
    cli.ok("user", "create", "mason", "--new-password-stdin", stdin="mason's password\n")
    cli.ok("user", "create", "smith", "--no-password")
    assert cli.ok("org", "members", "add", "guild", "mason").out == "mason is a member of guild\n"
    cli.ok("org", "members", "add", "guild", "smith", "--owner")
    members = {row[0]: row[-1] for row in cli.ok("org", "members", "list", "guild").rows}
    assert members["mason"] == "member" and members["smith"] == "owner"
    assert ["guild"] == cli.ok("org", "list", "--user", "mason", "-q").lines
    cli.ok("org", "update", "guild", "--full-name", "A guild")
    assert cli.ok("org", "show", "guild", "--output", "json").json["fullName"] == "A guild"
    assert "guild" in cli.ok("org", "list", "-q").lines
    cli.ok("team", "create", "guild", "builders", "--description", "they build")
    cli.ok("team", "update", "guild", "builders", "--description", "they build well")
    assert [["builders", "0", "they build well"]] == cli.ok("team", "list", "guild").rows
    cli.ok("team", "members", "add", "guild", "builders", "mason", "--admin")
    assert cli.ok("team", "members", "list", "guild", "builders", "-q").lines == ["mason"]
    assert cli.ok("team", "show", "guild", "builders", "--output", "json").json["membersCount"] == 1
    cli.ok("repo", "create", "guild/tower", "--private")
    with CommandLine(registry, ("mason", "mason's password")) as mason:
        mason.refused(NOT_FOUND, "NO_SUCH_REPOSITORY", "repo", "show", "guild/tower")
        cli.ok("team", "access", "set", "guild", "builders", "read-only", "guild/tower")
        mason.ok("repo", "show", "guild/tower")
        mason.refused(NOT_ALLOWED, "NOT_AUTHORIZED", "repo", "delete", "guild/tower")
        cli.ok("team", "access", "set", "guild", "builders", "read-write", "guild")
    listed = cli.ok("team", "access", "list", "guild", "builders")
    assert ["guild/tower", "read-only"] in listed.rows
    assert listed.lines[-1] == "Every repository of guild: read-write"
    cli.ok("team", "access", "remove", "guild", "builders", "guild/tower")
    cli.ok("team", "access", "remove", "guild", "builders", "guild")
    assert cli.ok("team", "access", "list", "guild", "builders", "-q").lines == []
    assert cli("team", "access", "set", "guild", "builders", "all", "guild").status == USAGE
    cli.ok("team", "members", "remove", "guild", "builders", "mason")
    cli.ok("team", "delete", "guild", "builders")
    cli.ok("org", "members", "remove", "guild", "mason")
    cli.ok("org", "delete", "guild")
    cli.refused(NOT_FOUND, "NO_SUCH_ACCOUNT", "org", "show", "guild")


def test_tokens(registry, cli):
    made = cli.ok("token", "create", "--label", "ci", "--expires", "90d", "--output", "json").json
    assert made["tokenLabel"] == "ci" and made["expiresAt"]
    secret = cli.ok("token", "create", "--label", "other", "--quiet").out.strip()
    with CommandLine(registry, ("admin", secret)) as other:
        other.ok("user", "list")
    rows = {row[1]: row for row in cli.ok("token", "list").rows}
    assert rows["ci"][2] == "active" and rows["other"][5] == "never"
    identifier = rows["other"][0]
    cli.ok("token", "disable", identifier)
    with CommandLine(registry, ("admin", secret)) as other:
        other.refused(NOT_ALLOWED, "NOT_AUTHENTICATED", "user", "list")
        cli.ok("token", "enable", identifier)
        other.ok("user", "list")
    cli.ok("token", "delete", identifier)
    cli.refused(NOT_FOUND, "NO_SUCH_API_TOKEN", "token", "delete", identifier)
    cli.refused(USAGE, "USAGE", "token", "create", "--label", "x", "--expires", "soon")
    cli.ok("user", "create", "robot", "--no-password")
    cli.ok("token", "create", "--label", "robot's", "--user", "robot")
    assert len(cli.ok("token", "list", "--user", "robot", "-q").lines) == 1


def test_policies(registry, cli):
    for name in ("admin/dev", "admin/prod"):
        cli.ok("repo", "create", name)
    push(registry, "admin/dev", "v1")
    push(registry, "admin/dev", "nightly-1")
    promotion = ["policy", "promotion"]
    identifier = cli.ok(*promotion, "create", "admin/dev", "--target", "admin/prod",
                        "--rule", "tag sw v", "--tag-template", "%n-ok", "-q").out.strip()
    (row,) = cli.ok(*promotion, "list", "admin/dev").rows
    assert row[:5] == [identifier, "admin/dev", "admin/prod", "%n-ok", "tag sw v"]
    cli.ok(*promotion, "run", "admin/dev", identifier)
    eventually(lambda: cli.ok("repo", "tags", "admin/prod", "-q").lines == ["v1-ok"], 60,
               "the tag is promoted")
    cli.ok(*promotion, "update", "admin/dev", identifier, "--disable")
    assert cli.ok(*promotion, "show", "admin/dev", identifier,
                  "--output", "json").json["enabled"] is False
    cli.refused(1, "DISABLED", *promotion, "run", "admin/dev", identifier)
    cli.refused(1, "INVALID_PROMOTION_POLICY", *promotion, "create", "admin/dev",
                "--target", "admin/prod", "--rule", "tag wrong v")
    cli.ok(*promotion, "delete", "admin/dev", identifier)
    cli.refused(NOT_FOUND, "NO_SUCH_PROMOTION_POLICY", *promotion, "show", "admin/dev", identifier)

    pruning = ["policy", "pruning"]
    assert cli.ok(*pruning, "test", "admin/dev", "--rule", "tag sw nightly-",
                  "-q").lines == ["nightly-1"]
    cli.ok(*pruning, "create", "admin/dev", "--rule", "tag sw nightly-",
           "--rule", "tag eq nightly-1 nightly-2", "--now")
    eventually(lambda: cli.ok("repo", "tags", "admin/dev", "-q").lines == ["v1"], 60,
               "the tag is pruned")
    (policy,) = cli.ok(*pruning, "list", "admin/dev", "--output", "json").json
    assert policy["rules"][1]["values"] == ["nightly-1", "nightly-2"]
    assert cli(*pruning, "create", "admin/dev", "--rule", "tag").status == USAGE


def test_mirroring(registry, cli):
    """The registry is its own remote."""
    for name in ("admin/here", "admin/there", "admin/back"):
        cli.ok("repo", "create", name)
    push(registry, "admin/here", "v1")
    remote = ["--remote", f"http://{registry.host}/admin/there", "--remote-username", "admin"]
    cli.environment["MARTLET_REMOTE_PASSWORD"] = ADMIN[1]
    checked = cli.ok("mirror", "check", *remote, "--output", "json").json
    assert checked["permissions"] == {"read": True, "write": True}
    cli.ok("mirror", "send", "admin/here", "v1", *remote, "--remote-tag", "sent")
    assert cli.ok("repo", "tags", "admin/there", "-q").lines == ["sent"]
    identifier = cli.ok("mirror", "push", "create", "admin/here", *remote, "--rule", "tag sw v",
                        "--now", "-q").out.strip()
    eventually(lambda: cli.ok("repo", "tags", "admin/there", "-q").lines == ["sent", "v1"], 60,
               "the tag is sent")
    (row,) = cli.ok("mirror", "push", "list", "admin/here").rows
    assert row[:2] == [identifier, "admin/here"] and row[2].endswith("/admin/there")
    cli.ok("mirror", "push", "delete", "admin/here", identifier)
    # the password by standard input, for a policy that fetches
    del cli.environment["MARTLET_REMOTE_PASSWORD"]
    polling = cli.ok("mirror", "poll", "create", "admin/back", *remote, "--remote-password-stdin",
                     "--now", "-q", stdin=ADMIN[1]).out.strip()
    eventually(lambda: cli.ok("repo", "tags", "admin/back", "-q").lines == ["sent", "v1"], 60,
               "the tags are fetched")
    cli.ok("mirror", "poll", "update", "admin/back", polling, "--disable")
    cli.ok("mirror", "poll", "delete", "admin/back", polling)
    assert cli("mirror", "check").status == USAGE
    cli.refused(USAGE, "USAGE", "mirror", "check", "--remote", "no-slash")


def test_webhooks(registry, cli):
    cli.ok("repo", "create", "admin/hooked")
    types = cli.ok("webhook", "types")
    assert ["TAG_PUSH", "repository"] in types.rows and ["REPO_CREATED", "namespace"] in types.rows
    with Receiver() as receiver:
        made = cli.ok("webhook", "create", "tag_push", receiver.url, "--key", "admin/hooked",
                      "--output", "json").json
        assert made["secret"]
        assert made["id"] in cli.ok("webhook", "list", "--key", "admin/hooked", "-q").lines
        assert made["id"] in cli.ok("webhook", "list", "--type", "TAG_PUSH", "-q").lines
        tested = cli.ok("webhook", "test", "TAG_PUSH", receiver.url, "--key", "admin/hooked").out
        assert re.search(r"^Status: +200$", tested, re.M), tested
        receiver.statuses.append(500)
        cli.refused(1, "NOT_TAKEN", "webhook", "test", "TAG_PUSH", receiver.url, "--key",
                    "admin/hooked")
        push(registry, "admin/hooked", "v1")
        eventually(lambda: cli.ok("webhook", "deliveries", made["id"], "-q").lines, 60,
                   "the webhook is delivered")
        (delivery,) = cli.ok("webhook", "deliveries", made["id"]).rows
        assert delivery[2:4] == ["yes", "200"]
        cli.ok("webhook", "update", made["id"], "--disable")
        (row,) = cli.ok("webhook", "list", "--key", "admin/hooked").rows
        assert row[4] == "disabled"
        cli.ok("webhook", "delete", made["id"])
        cli.refused(NOT_FOUND, "NO_SUCH_WEBHOOK", "webhook", "delete", made["id"])


def test_jobs(registry, cli):
    waited = cli.ok("job", "run", "sleep", "duration=1s", "--wait")
    assert waited.lines[:2] == ["sleeping for 1s", "awake"], waited
    assert re.fullmatch(r"job \S+: done", waited.lines[-1])
    failed = cli.refused(1, "JOB_FAILED", "job", "run", "false", "--wait", "--retries", "0")
    assert "failing, as it was asked to" in failed.lines
    identifier = cli.ok("job", "run", "sleep", "duration=1s", "-q").out.strip()
    followed = cli.ok("job", "logs", identifier, "--follow")
    assert followed.lines == ["sleeping for 1s", "awake"]
    assert cli.ok("job", "logs", identifier).lines == followed.lines
    lines = [json.loads(line) for line in
             cli.ok("job", "logs", identifier, "-f", "--output", "json").lines]
    assert [line["data"] for line in lines] == followed.lines
    assert cli.ok("job", "show", identifier, "--output", "json").json["status"] == "done"
    assert identifier in cli.ok("job", "list", "--action", "sleep", "--no-running", "-q").lines
    long = cli.ok("job", "run", "sleep", "duration=1h", "-q").out.strip()
    eventually(lambda: long in cli.ok("job", "list", "--running", "-q").lines, 60, "the job runs")
    cli.ok("job", "cancel", long)
    cli.ok("job", "logs", long, "--follow")
    assert cli.ok("job", "show", long, "--output", "json").json["status"] == "canceled"
    cli.refused(1, "WRONG_JOB_STATUS", "job", "cancel", long)
    cli.ok("job", "delete", long)
    cli.refused(NOT_FOUND, "NO_SUCH_JOB", "job", "show", long)
    later = cli.ok("job", "run", "sleep", "--at", "2h", "-q").out.strip()
    assert cli.ok("job", "show", later, "--output", "json").json["status"] == "waiting"
    cli.ok("job", "delete", later)
    cli.ok("job", "configure", "sleep", "duration=1s")
    assert ["sleep", "duration=1s"] in cli.ok("job", "configure").rows
    assert cli.ok("job", "configure", "sleep", "--output", "json").json["parameters"] == {
        "duration": "1s"}
    cli.ok("job", "configure", "sleep", "--clear")
    cli.refused(NOT_FOUND, "NO_SUCH_ACTION_CONFIG", "job", "configure", "sleep")


def test_crons_and_workers(registry, cli):
    assert "onlinegc" in cli.ok("cron", "list", "-q").lines
    cli.ok("cron", "set", "sleep", "0 0 3 * * *", "duration=1s")
    (row,) = [row for row in cli.ok("cron", "list").rows if row[0] == "sleep"]
    assert row[1] == "0 0 3 * * *" and row[2].endswith("T03:00:00Z") and row[3] == "duration=1s"
    cli.ok("cron", "delete", "sleep")
    cli.refused(NOT_FOUND, "NO_SUCH_CRON", "cron", "delete", "sleep")
    cli.refused(1, "INVALID_PARAMETERS", "cron", "set", "sleep", "whenever")
    (worker,) = cli.ok("worker", "list", "-q").lines
    cli.ok("worker", "capacity", worker, "sleep=2")
    eventually(lambda: cli.ok("worker", "list", "--output", "json").json["workers"][0][
        "capacityMap"].get("sleep") == 2, 60, "the worker has taken its capacity on")
    cli.refused(USAGE, "USAGE", "worker", "capacity", worker, "sleep=many")


def test_garbage_collection_waits_and_reports(registry, cli):
    cli.ok("repo", "create", "admin/garbage")
    digest = push(registry, "admin/garbage", "v1", b"what will be garbage")
    cli.ok("repo", "delete-manifest", "admin/garbage", digest)
    dry = cli.ok("gc", "--dry-run", "--grace", "0s")
    assert "would remove" in dry.lines[-1] and re.match(r"job \S+: done", dry.lines[-1])
    done = cli.ok("gc", "--grace", "0s", "--output", "json")
    assert done.json["status"] == "done" and "removed" in done.json["result"]
    assert "removed" in done.err, "the log is for people"
    layer = digest_of(b"what will be garbage")
    token = registry.token("repository:admin/garbage:pull", auth=ADMIN)
    assert registry.request("HEAD", f"/v2/admin/garbage/blobs/{layer}", auth=token).status == 404
    identifier = cli.ok("gc", "--no-wait", "-q").out.strip()
    cli.ok("job", "logs", identifier, "--follow")
    cli.refused(1, "JOB_FAILED", "gc", "--grace", "eternity")


def test_settings_status_and_search(registry, cli):
    shown = cli.ok("settings", "show").out
    assert re.search(r"^readOnlyRegistry: +no$", shown, re.M), shown
    changed = cli.ok("settings", "set", "createRepositoryOnPush=true", "jobHistoryToKeep=500",
                     "jobHistoryMaxAge=48h", "--output", "json").json
    assert changed["createRepositoryOnPush"] is True and changed["jobHistoryToKeep"] == 500
    cli.ok("settings", "set", "createRepositoryOnPush=false")
    result = cli.refused(USAGE, "USAGE", "settings", "set", "readOnlyRegstry=true")
    assert "did you mean readOnlyRegistry?" in result.err
    cli.refused(USAGE, "USAGE", "settings", "set", "readOnlyRegistry=perhaps")
    cli.refused(1, "INVALID_SETTINGS", "settings", "set", "jobHistoryMaxAge=long")
    status = cli.ok("status")
    assert re.search(r"^Healthy: +yes$", status.out, re.M) and "Version:" in status.out
    assert cli.ok("status", "--output", "json").json["healthy"] is True
    cli.ok("repo", "create", "admin/findable", "--description", "found")
    assert ["repository", "admin/findable", "found"] in cli.ok("search", "findab").rows
    with CommandLine(registry, auth=None) as anonymous:
        assert "admin/findable" in anonymous.ok("search", "findab", "-q").lines
        anonymous.ok("status")


def test_what_strangers_write_does_not_reach_the_terminal(registry, cli):
    cli.ok("repo", "create", "admin/sly", "--description", "red \x1b[31m and\nmore")
    assert "\x1b" not in cli("repo", "list", "admin").out
    document = cli("repo", "show", "admin/sly", "--output", "json").json
    assert document["shortDescription"] == "red \x1b[31m and\nmore"
    cli.ok("repo", "delete", "admin/sly")


def test_whoever_stops_reading_ends_the_command(registry, cli):
    identifier = cli.ok("job", "run", "sleep", "duration=2s", "-q").out.strip()
    process = subprocess.Popen(
        [BINARY, "registry", "job", "logs", identifier, "--follow"], env=cli.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"sleeping for 2s\n"
    process.stdout.close()
    assert process.wait(120) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_results_that_cannot_be_written_are_no_success(registry, cli):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BINARY, "registry", "repo", "list"], env=cli.environment,
                              stdout=full, stderr=subprocess.PIPE, timeout=120, check=False)
    assert done.returncode == 1 and b"cannot be written" in done.stderr


# Other servers


class StrangeServer:
    """Answers every request with what `answer` says: status, headers and body."""

    def __init__(self, answer):
        outer = self
        self.paths: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.paths.append(self.path)
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def host(self) -> str:
        return "127.0.0.1:%d" % self.server.server_address[1]


JSON = {"Content-Type": "application/json"}


def errors(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "no"}]}).encode()


@pytest.mark.parametrize("answer, status, code", [
    ((429, JSON, errors("TOO_MANY_REQUESTS")), 75, "TOO_MANY_REQUESTS"),
    ((409, JSON, errors("CONFLICT")), 75, "CONFLICT"),
    ((409, JSON, errors("TAG_IMMUTABLE")), 1, "TAG_IMMUTABLE"),
    ((503, JSON, errors("UNAVAILABLE")), 69, "UNAVAILABLE"),
    ((502, {"Content-Type": "text/html"}, b"<html>no</html>"), 69, "HTTP_502"),
    ((500, JSON, b"{}"), 1, "HTTP_500"),
    ((301, {"Location": "http://127.0.0.1:1/"}, b""), 1, "HTTP_301"),
    ((200, {"Content-Type": "text/html"}, b"<html>a page</html>"), 1, "NO_DOCUMENT"),
    ((200, JSON, b"{ not json"), 1, "BROKEN_ANSWER"),
    ((200, JSON, b"[" * 100_000), 1, "BROKEN_ANSWER"),
    ((200, JSON | {"Content-Length": "1000"}, b"{}"), 69, "UNREACHABLE"),
    ((403, JSON, b'{"errors":[{"code":"\x1b[31m","message":7,"detail":[1]}]}'), 77, ".*"),
    ((404, JSON, b'{"errors":{"code":[]}}'), 66, "HTTP_404"),
], ids=lambda value: value if isinstance(value, (str, int)) else "")
def test_answers_of_other_servers(anonymous, answer, status, code):
    def answering(handler):
        handler.close_connection = True
        return answer

    with StrangeServer(answering) as server:
        result = anonymous.refused(status, code, "repo", "show", "a/b", "--server", server.host)
    assert "\x1b" not in result.err


def test_lists_of_other_servers_end(anonymous):
    """A server that always names the same next page."""
    with StrangeServer(lambda _: (200, JSON | {"X-Next-Page-Start": "again"},
                                  b'{"repositories":[]}')) as server:
        anonymous.refused(1, "ENDLESS_LIST", "repo", "list", "--server", server.host)
        assert len(server.paths) == 2


def test_a_server_that_does_not_answer(anonymous):
    closing = threading.Event()

    def answering(_):
        closing.wait(120)
        return 200, JSON, b"{}"

    with StrangeServer(answering) as server:
        try:
            result = anonymous.refused(UNREACHABLE, "UNREACHABLE", "repo", "show", "a/b",
                                       "--timeout", "1s", "--server", server.host)
        finally:
            closing.set()
        assert "in time" in result.err


def test_names_are_escaped_in_paths(anonymous):
    with StrangeServer(lambda _: (404, JSON, b"{}")) as server:
        anonymous.refused(NOT_FOUND, "HTTP_404", "user", "show", "../a?b#c%2f ü", "--server",
                          server.host)
        assert server.paths == ["/enzi/v0/accounts/..%2Fa%3Fb%23c%252f%20%C3%BC"]


def test_certificates(tmp_path):
    crt, key = certificate(tmp_path)
    with TLSRegistry(crt, key) as registry, CommandLine(None, auth=None) as cli:
        url = f"https://{registry.host}"
        login = ["login", url, "-u", "admin", "--password-stdin"]
        cli.refused(UNREACHABLE, "UNREACHABLE", *login, stdin=ADMIN[1])
        cli.ok(*login, "--ca-file", str(crt), stdin=ADMIN[1])
        # the login remembers the certificates
        cli.ok("repo", "list")
        cli.ok("logout")
        cli.refused(UNREACHABLE, "UNREACHABLE", "repo", "list", "--server", url)
        cli.ok("repo", "list", "--server", url, "--insecure")


def test_clients_get_the_certificates_to_trust_and_no_key(tmp_path):
    crt, key = certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + crt.read_text())
    with TLSRegistry(both, key) as registry:
        url = f"https://{registry.host}"
        given = subprocess.run(["curl", "--silent", "--insecure", f"{url}/ca"],
                               capture_output=True, text=True, check=True).stdout
        assert given.strip() == crt.read_text().strip()
        trusted = tmp_path / "trusted.pem"
        trusted.write_text(given)
        assert subprocess.run(["curl", "--silent", "--fail", "--cacert", str(trusted),
                               f"{url}/_ping"], capture_output=True).returncode == 0


class TLSRegistry(MartletRegistry):
    def __init__(self, crt: Path, key: Path):
        super().__init__(flags=["--tls-certificate", str(crt), "--tls-key", str(key)])

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log_text()
        try:
            with socket.create_connection((self.address, self.port), timeout=5):
                return True
        except OSError:
            return False


def test_a_registry_without_accounts(registry):
    """Whoever reaches it governs it."""
    with MartletRegistry(auth="none") as open_registry, CommandLine(open_registry, None) as cli:
        cli.ok("repo", "create", "admin/free")
        assert cli.ok("repo", "list", "-q").lines == ["admin/free"]
        cli.ok("gc", "--dry-run")
        cli.ok("status")
