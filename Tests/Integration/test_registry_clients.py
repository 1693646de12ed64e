"""The clients people have, against Martlet's own registry with accounts and rules."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile

import pytest

from engine import IMAGES
from image_archive import Image, LayerWriter
from martlet_registry import ADMIN, MartletRegistry

pytestmark = [pytest.mark.martlet_only]


@pytest.fixture(scope="module")
def registry():
    with MartletRegistry(auth="token") as registry:
        yield registry


def run(*command, check=True, **options) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=120, **options)
    if check:
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done


# docker, and Martlet's engine behind it

@pytest.fixture
def home(tmp_path):
    """A docker client's folder of its own, so that no login is left behind."""
    return {"DOCKER_CONFIG": str(tmp_path)}


@pytest.fixture
def loaded(engine, name):
    """An image of two layers in the engine, under the test's name."""
    layers = [LayerWriter().file(f"f{n}", os.urandom(100_000)).finish() for n in range(2)]
    image = Image(layers, {"Cmd": ["/f0"], "Labels": {"test": name}})
    assert engine.load_bytes(image.docker_archive([f"{name}:loaded"])).status == 200
    yield image
    for item in engine.get("/images/json"):
        for tag in item["RepoTags"] or []:
            if name in tag:
                engine.request("DELETE", f"/images/{tag}?force=1")


def test_docker_logs_in_pushes_and_pulls(engine, registry, name, loaded, home):
    target = f"{registry.host}/admin/{name}:v1"
    engine.docker("tag", f"{name}:loaded", target)
    refused = engine.fails("push", target, env=home)
    assert "denied" in refused or "authentication required" in refused or "unauthorized" in refused
    engine.docker("login", "--username", ADMIN[0], "--password-stdin", registry.host,
                  input=ADMIN[1], env=home)
    pushed = engine.out("push", target, env=home)
    assert "digest: sha256:" in pushed
    engine.docker("rmi", "--force", target, f"{name}:loaded")
    assert "Downloaded newer image" in engine.out("pull", target, env=home)
    assert engine.get(f"/images/{target}/json")["Id"] == loaded.id
    answer = registry.request("GET", f"/v2/admin/{name}/tags/list",
                              auth=registry.token(f"repository:admin/{name}:pull", ADMIN))
    assert json.loads(answer.body) == {"name": f"admin/{name}", "tags": ["v1"]}
    engine.docker("logout", registry.host, env=home)


def test_a_pull_on_the_same_machine_links_the_blobs(engine, registry, name, loaded, home):
    target = f"{registry.host}/admin/{name}:link"
    engine.docker("tag", f"{name}:loaded", target)
    engine.docker("login", "--username", ADMIN[0], "--password-stdin", registry.host,
                  input=ADMIN[1], env=home)
    engine.docker("push", target, env=home)
    engine.docker("rmi", "--force", target, f"{name}:loaded")
    engine.docker("pull", target, env=home)
    stored = {path.stat().st_ino: path for path in registry.storage_folder.rglob("*")
              if path.is_file()}
    mine = [path for path in (os.path.join(folder, file) for folder, _, files
                              in os.walk(engine.folder) for file in files
                              if "/blobs/sha256" in folder)]
    linked = [path for path in mine if os.stat(path).st_ino in stored]
    assert len(linked) == 2, "the two layers are the registry's own files"


def test_a_wrong_password_is_refused(engine, registry, home):
    refused = engine.fails("login", "--username", "nobody", "--password-stdin", registry.host,
                           input="wrong password", env=home)
    assert "unauthorized" in refused.lower() or "authentication" in refused.lower()


def test_docker_manifest(registry, tmp_path):
    """`docker manifest` talks to the registry itself."""
    target = f"{registry.host}/admin/manifests:one"
    skopeo(registry, "copy", "--dest-tls-verify=false", f"docker-archive:{IMAGES}/busybox.tar",
           f"docker://{target}")
    environment = os.environ | {"DOCKER_CONFIG": str(tmp_path),
                                "DOCKER_CLI_EXPERIMENTAL": "enabled"}
    run("docker", "--config", tmp_path, "--host", "unix:///nowhere", "version", check=False)
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {
        "auth": base64.b64encode(":".join(ADMIN).encode()).decode()}}}))
    seen = run("docker", "manifest", "inspect", "--insecure", target, env=environment)
    assert json.loads(seen.stdout)["schemaVersion"] == 2


# skopeo

def skopeo(registry, *arguments, check=True):
    credentials = {"copy": "--dest-creds", "sync": "--dest-creds"}.get(arguments[0], "--creds")
    return run("skopeo", arguments[0], credentials, ":".join(ADMIN), *arguments[1:], check=check)


@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_skopeo_copies_there_and_back(registry, tmp_path, form):
    target = f"docker://{registry.host}/admin/skopeo-{form}:1"
    skopeo(registry, "copy", "--dest-tls-verify=false", "--format", form,
           f"docker-archive:{IMAGES}/busybox.tar", target)
    seen = json.loads(skopeo(registry, "inspect", "--tls-verify=false", target).stdout)
    assert seen["RepoTags"] == ["1"] and seen["Digest"].startswith("sha256:")
    run("skopeo", "copy", "--src-creds", ":".join(ADMIN), "--src-tls-verify=false", target,
        f"oci:{tmp_path}/layout:1")
    index = json.loads((tmp_path / "layout/index.json").read_text())
    assert len(index["manifests"]) == 1


def test_skopeo_lists_deletes_and_syncs(registry, tmp_path):
    repository = f"docker://{registry.host}/admin/listed"
    for tag in ("a", "b"):
        skopeo(registry, "copy", "--dest-tls-verify=false",
               f"docker-archive:{IMAGES}/hello-world.tar", f"{repository}:{tag}")
    listed = json.loads(skopeo(registry, "list-tags", "--tls-verify=false", repository).stdout)
    assert listed["Tags"] == ["a", "b"]
    run("skopeo", "sync", "--src", "docker", "--dest", "dir", "--src-creds", ":".join(ADMIN),
        "--src-tls-verify=false", f"{registry.host}/admin/listed", tmp_path)
    assert len(list(tmp_path.rglob("manifest.json"))) == 2
    skopeo(registry, "delete", "--tls-verify=false", f"{repository}:a")
    left = skopeo(registry, "list-tags", "--tls-verify=false", repository, check=False)
    assert left.returncode != 0 or '"a"' not in left.stdout


# podman

@pytest.fixture
def podman():
    """podman with a store of its own; its run folder's path may have 50 characters."""
    folder = tempfile.mkdtemp(prefix="martlet-podman-", dir="/var/tmp")
    yield ["podman", "--root", folder + "/root", "--runroot", folder + "/run",
           "--storage-driver", "vfs"]
    shutil.rmtree(folder, ignore_errors=True)


def test_podman_pushes_and_pulls(registry, podman):
    target = f"{registry.host}/admin/podman:1"
    try:
        run(*podman, "load", "--quiet", "--input", f"{IMAGES}/hello-world.tar")
        [image] = run(*podman, "images", "--quiet", "--no-trunc").stdout.split()
        run(*podman, "push", "--tls-verify=false", "--creds", ":".join(ADMIN), image, target)
        run(*podman, "rmi", "--force", image)
        run(*podman, "pull", "--tls-verify=false", "--creds", ":".join(ADMIN), target)
        assert run(*podman, "images", "--quiet", "--no-trunc").stdout.split() == [image]
    finally:
        run(*podman, "rmi", "--all", "--force", check=False)


# Tokens

def test_anonymous_callers_are_sent_to_the_token_service(registry):
    answer = registry.request("GET", "/v2/")
    assert answer.status == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(f'Bearer realm="http://{registry.host}/auth/token"')
    answer = registry.request("PUT", "/v2/admin/x/manifests/y", b"{}")
    assert 'scope="repository:admin/x:pull,push"' in answer.headers["WWW-Authenticate"]


def test_a_token_is_only_good_for_what_it_was_asked_for(registry):
    skopeo(registry, "copy", "--dest-tls-verify=false", f"docker-archive:{IMAGES}/hello-world.tar",
           f"docker://{registry.host}/admin/scoped:1")
    token = registry.token("repository:admin/scoped:pull", ADMIN)
    assert registry.request("GET", "/v2/admin/scoped/manifests/1", auth=token).status == 200
    answer = registry.request("POST", "/v2/admin/scoped/blobs/uploads/", auth=token)
    assert answer.status == 401 and "insufficient_scope" in answer.headers["WWW-Authenticate"]
    nothing = registry.token("repository:admin/scoped:pull")
    answer = registry.request("GET", "/v2/admin/scoped/manifests/1", auth=nothing)
    assert answer.status in (401, 404), "a private repository is not revealed"


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.", "." * 3000])
def test_forged_tokens_are_refused(registry, token):
    answer = registry.request("GET", "/v2/", auth=token)
    assert answer.status == 401 and "WWW-Authenticate" in answer.headers
