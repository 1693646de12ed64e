"""Artefacts of any kind, as the ORAS project's Python client pushes, attaches and pulls them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path
from urllib.parse import quote

import oras.oci
import oras.provider
import pytest

from martlet_registry import ADMIN, MartletRegistry

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
MODEL = "application/vnd.example.model.v1+octets"
CARD = "application/vnd.example.card.v1+json"
SBOM = "application/vnd.example.sbom.v1+json"
SIGNATURE = "application/vnd.example.signature.v1"


@pytest.fixture(scope="module")
def registries():
    with MartletRegistry(auth="none") as free, MartletRegistry(auth="token") as kept:
        yield {"none": free, "token": kept, "basic": kept}


@pytest.fixture(params=["none", "token", "basic"])
def session(request, registries, name, tmp_path):
    """A client at a repository of the test's own, by each way to say who one is."""
    return Session(registries[request.param], request.param, f"admin/{name}", tmp_path)


class Session:
    def __init__(self, registry: MartletRegistry, kind: str, repository: str, folder: Path):
        self.registry, self.kind, self.repository = registry, kind, repository
        self.folder = folder
        self.config = folder / "docker-config.json"
        login = {"auth": base64.b64encode(":".join(ADMIN).encode()).decode()}
        self.config.write_text(json.dumps({"auths": {registry.host: login}}
                                          if kind != "none" else {}))
        self.client = self.make_client()
        if kind == "token":
            # The client keeps the first token it gets, which is for the pull that a push begins
            # with, and asks for no other; so it is given one that covers the whole test.
            self.client.auth.set_token_auth(registry.token(
                f"repository:{repository}:pull,push,delete", ADMIN))

    def make_client(self) -> oras.provider.Registry:
        return oras.provider.Registry(self.registry.host, insecure=True, auth_backend={
            "basic": "basic"}.get(self.kind, "token"))

    def target(self, reference: str) -> str:
        mark = "@" if ":" in reference else ":"
        return f"{self.registry.host}/{self.repository}{mark}{reference}"

    def file(self, name: str, data: bytes, kind: str) -> str:
        """A file as the client takes it: its path and its media type."""
        path = self.folder / name
        path.write_bytes(data)
        return f"{path}:{kind}"

    def push(self, reference: str, files, **options) -> oras.oci.Subject:
        """Pushes; gives what refers to the manifest as it was stored."""
        answer = self.client.push(self.target(reference), config_path=str(self.config),
                                  files=files, disable_path_validation=True, quiet=True, **options)
        assert answer.status_code == 201
        digest = answer.headers["Docker-Content-Digest"]
        body = answer.request.body
        assert digest == "sha256:" + hashlib.sha256(body).hexdigest()
        return oras.oci.Subject(MANIFEST, digest, len(body))

    def pull(self, reference: str, client=None) -> dict[str, bytes]:
        outdir = self.folder / "pulled"
        outdir.mkdir(exist_ok=True)
        paths = (client or self.client).pull(self.target(reference), config_path=str(self.config),
                                             outdir=str(outdir))
        return {os.path.basename(path): Path(path).read_bytes() for path in paths}

    def request(self, method: str, path: str, **options):
        """A request of the client, with its login."""
        return self.client.do_request(f"http://{self.registry.host}/v2/{self.repository}/{path}",
                                      method, **options)

    def referrers(self, digest: str, query: str = "") -> dict:
        answer = self.request("GET", f"referrers/{digest}{query}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == INDEX
        assert ("artifactType=" in query) == ("OCI-Filters-Applied" in answer.headers)
        return answer.json()


def test_an_artefact_there_and_back(session):
    files = {"weights": os.urandom(300_000), "card.json": b'{"name":"a model"}'}
    session.push("v1", [session.file("weights", files["weights"], MODEL),
                        session.file("card.json", files["card.json"], CARD)],
                 manifest_annotations={"org.example.note": "café"})
    manifest = session.client.get_manifest(session.target("v1"))
    assert [layer["mediaType"] for layer in manifest["layers"]] == [MODEL, CARD]
    assert [layer["size"] for layer in manifest["layers"]] == [300_000, 18]
    assert manifest["annotations"] == {"org.example.note": "café"}
    assert session.pull("v1") == files


def test_a_configuration_of_ones_own_kind(session):
    configuration = session.file("config.json", b'{"layers":12}', CARD)
    session.push("v1", [session.file("weights", b"weights", MODEL)],
                 manifest_config=configuration)
    config = session.client.get_manifest(session.target("v1"))["config"]
    assert config["mediaType"] == CARD
    answer = session.client.get_blob(session.target("v1"), config["digest"])
    assert answer.status_code == 200 and answer.content == b'{"layers":12}'


def test_a_folder(session):
    folder = session.folder / "tree"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_bytes(b"in the deep")
    session.push("v1", [str(folder)])
    # The client unpacks it where it was.
    session.client.pull(session.target("v1"), config_path=str(session.config),
                        outdir=str(session.folder / "pulled"))
    assert (session.folder / "pulled/tree/deep/file").read_bytes() == b"in the deep"


def test_by_chunks(session):
    data = os.urandom(1_000_001)
    session.push("v1", [session.file("big", data, MODEL)], do_chunked=True, chunk_size=300_000)
    assert session.pull("v1") == {"big": data}


def test_by_digest(session):
    pushed = session.push("v1", [session.file("one", b"the first", MODEL)])
    session.push("v1", [session.file("one", b"the second", MODEL)])
    assert session.pull("v1") == {"one": b"the second"}
    assert session.pull(pushed.digest) == {"one": b"the first"}


def test_what_is_attached_is_listed(session):
    image = session.push("v1", [session.file("weights", b"weights", MODEL)])
    assert session.referrers(image.digest)["manifests"] == []
    # Before it had a field of its own, an artefact's kind was that of its configuration.
    bill = session.push("bill", [session.file("bill.json", b'{"parts":[]}', SBOM)], subject=image,
                        manifest_config=session.file("empty", b"{}", SBOM),
                        manifest_annotations={"org.example.tool": "test"})
    signature = session.push(
        "signed", [session.file("signature", os.urandom(64), SIGNATURE)], subject=image,
        manifest_config=session.file("empty", b"{}", SIGNATURE))
    listed = {entry["digest"]: entry for entry in session.referrers(image.digest)["manifests"]}
    assert set(listed) == {bill.digest, signature.digest}
    assert listed[bill.digest]["artifactType"] == SBOM
    assert listed[bill.digest]["size"] == bill.size
    assert listed[bill.digest]["annotations"] == {"org.example.tool": "test"}
    [found] = session.referrers(image.digest, f"?artifactType={SIGNATURE}")["manifests"]
    assert found["digest"] == signature.digest
    assert session.referrers(image.digest, "?artifactType=text/plain")["manifests"] == []
    # A signature is found from the image, and then pulled by its digest.
    assert session.pull(found["digest"]).keys() == {"signature"}
    # What was attached may have something attached to it.
    note = session.push("note", [session.file("note", b"seen", CARD)], subject=signature)
    [found] = session.referrers(signature.digest)["manifests"]
    assert found["digest"] == note.digest


def test_an_artefact_with_a_type_of_its_own(session):
    image = session.push("v1", [session.file("weights", b"weights", MODEL)])
    container = session.client.get_container(session.target("typed"))
    manifest = session.client.get_manifest(session.target("v1")) | {
        "artifactType": SBOM,
        "subject": {"mediaType": image.mediaType, "digest": image.digest, "size": image.size}}
    answer = session.client.upload_manifest(manifest, container)
    assert answer.status_code == 201 and answer.headers["OCI-Subject"] == image.digest
    for written in (quote(SBOM, safe=""), SBOM):  # with the plus escaped, and as people write it
        [found] = session.referrers(image.digest, f"?artifactType={written}")["manifests"]
        assert found["digest"] == answer.headers["Docker-Content-Digest"]


def test_what_is_attached_goes_from_the_list_when_deleted(session):
    image = session.push("v1", [session.file("weights", b"weights", MODEL)])
    session.push("bill", [session.file("bill.json", b"{}", SBOM)], subject=image)
    assert len(session.referrers(image.digest)["manifests"]) == 1
    assert session.client.delete_tags(session.target("bill"), "bill") == ["bill"]
    assert session.referrers(image.digest)["manifests"] == []
    assert session.client.get_tags(session.target("v1")) == ["v1"]


def test_tags_in_pages(session):
    wanted = [f"t{number}" for number in range(7)]
    for tag in wanted:
        session.push(tag, [session.file("one", b"one", MODEL)])
    assert session.client.get_tags(session.target("t0")) == wanted
    # This client follows the links of pages until it has as many as it was asked for.
    assert session.client.get_tags(session.target("t0"), N=3) == wanted[:3]
    answer = session.request("GET", "tags/list?n=3")
    assert answer.json()["tags"] == wanted[:3]
    answer = session.client.do_request(
        f"http://{session.registry.host}{answer.links['next']['url']}", "GET")
    assert answer.json()["tags"] == wanted[3:6]


# The login as the client does it itself

@pytest.fixture
def kept(registries, name, tmp_path):
    return Session(registries["token"], "token", f"admin/{name}", tmp_path)


def test_pulling_with_a_login_gets_its_own_token(kept):
    kept.push("v1", [kept.file("weights", b"weights", MODEL)])
    client = kept.make_client()
    assert kept.pull("v1", client) == {"weights": b"weights"}
    assert client.auth.token, "it was sent to the token service"


def test_without_a_login_nothing_is_pulled(kept):
    kept.push("v1", [kept.file("weights", b"weights", MODEL)])
    client = kept.make_client()
    # Without the decorator that tries five times.
    answer = client.do_request.__wrapped__(
        client, f"http://{kept.registry.host}/v2/{kept.repository}/manifests/v1", "GET")
    assert answer.status_code in (401, 404)
    assert client.auth.token, "anonymous callers get a token, too, which grants nothing"
