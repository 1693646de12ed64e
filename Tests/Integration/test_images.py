"""Images: load and save, tags and removal, listing, history, prune, and how layers are unpacked."""

import gzip
import json
import os
import subprocess
import tarfile

import pytest

from engine import IS_PEER, eventually
from image_archive import EPOCH, Image, LayerWriter, canonical, digest_of, tar_of

with open("/bin/busybox" if os.path.exists("/bin/busybox") else "/usr/bin/busybox", "rb") as _file:
    BUSYBOX = _file.read()


def base_layer(*applets) -> bytes:
    layer = LayerWriter().directory("bin").file("bin/busybox", BUSYBOX, 0o755)
    for applet in applets or ("sh", "ls", "cat", "stat", "find", "test", "true", "sleep", "echo", "id"):
        layer.hardlink("bin/" + applet, "bin/busybox", 0o755)
    return layer.finish()


@pytest.fixture
def make(engine, name):
    """Loads synthetic images under names of this test, and removes them afterwards."""
    tags = []

    def load(*layers, config=None, tag=None, oci=False, base=True, compression="gzip"):
        image = Image([base_layer(), *layers] if base else list(layers),
                      {"Env": ["PATH=/bin"]} | (config or {}))
        tag = tag or f"{name}:{len(tags)}"
        tags.append(tag)
        archive = image.oci_archive(tag, compression) if oci else image.docker_archive([tag])
        reply = engine.load_bytes(archive)
        assert reply.status == 200 and b'"error"' not in reply.body, reply
        return tag

    yield load
    engine.remove_everything()
    for tag in tags:
        engine.request("DELETE", f"/images/{tag}?force=1")


def sh(engine, tag, script, *arguments) -> str:
    return engine.out("run", "--rm", *arguments, tag, "sh", "-c", script)


# Layers


def test_upper_layers_win(engine, make):
    tag = make(LayerWriter().file("f", "old").finish(), LayerWriter().file("f", "new").finish())
    assert sh(engine, tag, "cat /f") == "new"


def test_whiteouts(engine, make):
    tag = make(
        LayerWriter().directory("d").file("d/gone", "x").file("d/kept", "x").file("top", "x").finish(),
        LayerWriter().whiteout("d/gone").whiteout("top").finish())
    assert sh(engine, tag, "find /d; test ! -e /top") == "/d\n/d/kept"


def test_whiteout_of_a_folder_and_its_return(engine, make):
    tag = make(LayerWriter().directory("d").file("d/old", "x").finish(),
               LayerWriter().whiteout("d").finish(),
               LayerWriter().directory("d").file("d/new", "x").finish())
    assert sh(engine, tag, "ls /d") == "new"


def test_opaque_folders(engine, make):
    tag = make(LayerWriter().directory("d").file("d/old", "x").directory("d/sub").finish(),
               LayerWriter().directory("d").opaque("d").file("d/new", "x").finish())
    assert sh(engine, tag, "ls /d") == "new"


def test_opaque_marker_after_its_files(engine, make):
    tag = make(LayerWriter().directory("d").file("d/old", "x").finish(),
               LayerWriter().directory("d").file("d/new", "x").opaque("d").finish())
    assert sh(engine, tag, "ls /d") == "new"


def test_hard_links(engine, make):
    tag = make(LayerWriter().file("a", "linked").hardlink("b", "a").finish())
    assert sh(engine, tag, "stat -c %h /a; cat /b") == "2\nlinked"


def test_symlinks_absolute_and_climbing(engine, make):
    tag = make(LayerWriter().symlink("abs", "/etc/x").symlink("up", "../../etc/x").directory("etc")
               .file("etc/x", "inside").finish())
    assert sh(engine, tag, "cat /abs /up") == "insideinside"


def test_files_through_a_symlink_of_a_lower_layer(engine, make):
    """As in merged-usr images: bin is a link to usr/bin, and a layer says bin/tool."""
    tag = make(LayerWriter().directory("real").symlink("link", "real").finish(),
               LayerWriter().file("link/f", "through").finish())
    assert "through" in sh(engine, tag, "cat /link/f")


def test_extended_attributes(engine, make):
    tag = make(LayerWriter().file("f", "x", xattrs={"user.colour": "red"})
               .file("cap", BUSYBOX, 0o755,
                     xattrs={"security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00" + "\x00" * 12})
               .finish())
    identifier = engine.out("run", "-d", "--init", tag, "sleep", "600")
    root = f"/proc/{engine.inspect(identifier)['State']['Pid']}/root"
    assert os.getxattr(root + "/f", "user.colour") == b"red"
    assert os.getxattr(root + "/cap", "security.capability").startswith(b"\x01\0\0\x02\0\x20")


def test_ownership_modes_and_times(engine, make):
    tag = make(LayerWriter().file("f", "x", 0o4751, 12, 34).directory("d", 0o1777, 5, 6).finish())
    assert sh(engine, tag, "stat -c '%a %u %g %Y' /f /d") == f"4751 12 34 {EPOCH}\n1777 5 6 {EPOCH}"


def test_folder_times_survive_their_contents(engine, make):
    tag = make(LayerWriter().directory("d").file("d/f", "x").file("d/g", "x").finish())
    assert sh(engine, tag, "stat -c %Y /d") == str(EPOCH)


def test_device_nodes_and_fifos(engine, make):
    tag = make(LayerWriter().directory("x").device("x/null", 1, 3).fifo("x/pipe").finish())
    assert sh(engine, tag, "stat -c '%F %t %T' /x/null; test -p /x/pipe && echo pipe") == \
        "character special file 1 3\npipe"


def test_long_names_and_unicode(engine, make):
    deep = "/".join(["d" * 60] * 6)
    layer = LayerWriter()
    for depth in range(1, 7):
        layer.directory("/".join(["d" * 60] * depth))
    tag = make(layer.file(deep + "/" + "n" * 200, "deep").file("naïve file ☃", "snow").finish())
    assert sh(engine, tag, f"cat /{deep}/{'n' * 200}; cat '/naïve file ☃'") == "deepsnow"


@pytest.mark.newer_than_peer
def test_sparse_files(engine, make, tmp_path):
    with open(tmp_path / "sparse", "wb") as file:
        file.write(b"head")
        file.seek(200 << 20)
        file.write(b"tail")
    layer = subprocess.run(["tar", "--sparse", "-cf", "-", "-C", tmp_path, "sparse"],
                           capture_output=True, check=True).stdout
    tag = make(layer)
    assert sh(engine, tag, "stat -c %s /sparse") == str((200 << 20) + 4)
    assert int(sh(engine, tag, "stat -c %b /sparse")) * 512 < 10 << 20


def test_gnu_tar_dialect(engine, make, tmp_path):
    (tmp_path / ("g" * 120)).write_text("gnu")
    layer = subprocess.run(["tar", "--format=gnu", "-cf", "-", "-C", tmp_path, "g" * 120],
                           capture_output=True, check=True).stdout
    assert sh(engine, make(layer), "cat /ggg*") == "gnu"


@pytest.mark.newer_than_peer
def test_127_layers(engine, make):
    layers = [LayerWriter().file(f"layer{n}", str(n)).file("top", str(n)).finish() for n in range(126)]
    tag = make(*layers)
    seen = sh(engine, tag, "cat /top; echo; cat /layer0 /layer77; echo; echo /layer*")
    assert seen.splitlines()[:2] == ["125", "077"]
    assert len(seen.splitlines()[2].split()) == 126
    assert len(engine.get(f"/images/{tag}/json")["RootFS"]["Layers"]) == 127


def test_many_layers_of_a_running_container_survive_writes(engine, make):
    layers = [LayerWriter().file(f"f{n}", "x" * 1000).finish() for n in range(40)]
    tag = make(*layers)
    assert sh(engine, tag, "for i in 0 17 39; do echo y > /f$i; done; cat /f0 /f17 /f39") == "y\ny\ny"


@pytest.mark.parametrize("form", ["docker", "oci-gzip", "oci-plain"])
def test_archive_forms(engine, make, form):
    layer = LayerWriter().file("f", form).finish()
    tag = make(layer, oci=form != "docker", compression="none" if form == "oci-plain" else "gzip") \
        if not (IS_PEER and form != "docker") else pytest.skip("dockerd 20.10 has no OCI archives")
    assert sh(engine, tag, "cat /f") == form


def test_compressed_archives(engine, name):
    image = Image([base_layer(), LayerWriter().file("f", "gz").finish()], {"Env": ["PATH=/bin"]})
    archive = gzip.compress(image.docker_archive([f"{name}:gz"]), 1)
    assert engine.load_bytes(archive).status == 200
    assert sh(engine, f"{name}:gz", "cat /f") == "gz"
    engine.docker("rmi", f"{name}:gz")


@pytest.mark.newer_than_peer
def test_zstd_layers(engine, name):
    image = Image([base_layer(), LayerWriter().file("f", "zstd").finish()], {"Env": ["PATH=/bin"]})
    blobs = {}

    def blob(data):
        blobs["blobs/sha256/" + digest_of(data)[7:]] = data
        return {"digest": digest_of(data), "size": len(data)}

    layers = [blob(subprocess.run(["zstd", "-q"], input=layer, capture_output=True, check=True).stdout)
              | {"mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"} for layer in image.layers]
    config = blob(image.configuration()) | {"mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = blob(canonical({"schemaVersion": 2, "config": config, "layers": layers,
                               "mediaType": "application/vnd.oci.image.manifest.v1+json"}))
    manifest |= {"mediaType": "application/vnd.oci.image.manifest.v1+json",
                 "annotations": {"io.containerd.image.name": f"docker.io/library/{name}:zstd"}}
    files = {"oci-layout": canonical({"imageLayoutVersion": "1.0.0"}),
             "index.json": canonical({"schemaVersion": 2, "manifests": [manifest]})} | blobs
    reply = engine.load_bytes(tar_of(files))
    assert reply.status == 200 and b'"error"' not in reply.body, reply
    assert sh(engine, f"{name}:zstd", "cat /f") == "zstd"
    engine.docker("rmi", f"{name}:zstd")


# Hostile archives


def hostile_layers(outside: str) -> dict[str, bytes]:
    climb = "../" * 12
    loop = LayerWriter().symlink("a", "b").symlink("b", "a").file("a/f", "x").finish()
    return {
        "absolute": LayerWriter().file(outside + "/absolute", "x").finish(),
        "climbing": LayerWriter().file(climb + outside[1:] + "/climbing", "x").finish(),
        "symlink": LayerWriter().symlink("hole", outside).file("hole/symlink", "x").finish(),
        "climbing symlink": LayerWriter().symlink("hole", climb + outside[1:]).file("hole/l2", "x").finish(),
        "hard link out": LayerWriter().hardlink("stolen", climb + "etc/passwd").finish(),
        "hard link through symlink": LayerWriter().symlink("etc2", "/etc")
        .hardlink("stolen2", "etc2/shadow").finish(),
        "whiteout out": LayerWriter().file(climb + outside[1:] + "/.wh.victim").finish(),
        "whiteout through symlink": LayerWriter().symlink("hole", outside)
        .file("hole/.wh.victim").finish(),
        "opaque out": LayerWriter().file(climb + outside[1:] + "/.wh..wh..opq").finish(),
        "whiteout of dots": LayerWriter().directory("x").file("x/.wh...").finish(),
        "whiteout of nothing": LayerWriter().file(".wh.").finish(),
        "link loop": loop,
        "device out": LayerWriter().device(climb + outside[1:] + "/dev", 1, 3).finish(),
    }


HOSTILE = list(hostile_layers("/x"))


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_layers_stay_inside(engine, name, tmp_path, case):
    """Refused with a message or kept inside the layer, but the host is as it was."""
    victim = tmp_path / "victim"
    victim.write_text("alive")
    layer = hostile_layers(str(tmp_path))[case]
    image = Image([base_layer(), layer], {"Env": ["PATH=/bin"]})
    reply = engine.load_bytes(image.docker_archive([f"{name}:bad"]))
    assert reply.status < 500 or json.loads(reply.body)["message"]
    assert os.listdir(tmp_path) == ["victim"] and victim.read_text() == "alive"
    if b"Loaded image" in reply.body:
        seen = engine.docker("run", "--rm", f"{name}:bad", "cat", "/stolen", "/stolen2", check=False)
        assert "root:" not in seen.stdout
        engine.docker("rmi", "-f", f"{name}:bad")


def with_manifest(manifest, files=None) -> bytes:
    return tar_of({"manifest.json": json.dumps(manifest).encode()} | (files or {}))


def broken_archives() -> dict[str, bytes]:
    image = Image([base_layer("sh")], {})
    whole = image.docker_archive(["broken:x"])
    lying = Image([LayerWriter().file("f", "x").finish()])
    config = json.loads(lying.configuration())
    config["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    return {
        "empty": b"",
        "text": b"this is not an archive\n" * 100,
        "cut short": whole[: len(whole) // 2],
        "no manifest": tar_of({"hello": b"x"}),
        "manifest is no json": tar_of({"manifest.json": b"{"}),
        "manifest is a number": tar_of({"manifest.json": b"7"}),
        "missing config": with_manifest([{"Config": "gone.json", "RepoTags": ["a:b"], "Layers": []}]),
        "missing layer": with_manifest(
            [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["gone.tar"]}],
            {"c.json": image.configuration()}),
        "climbing config": with_manifest(
            [{"Config": "../../../../../../etc/passwd", "RepoTags": ["a:b"], "Layers": []}]),
        "climbing layer": with_manifest(
            [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["../../../../../etc/passwd"]}],
            {"c.json": image.configuration()}),
        "wrong diff id": with_manifest(
            [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["l.tar"]}],
            {"c.json": canonical(config), "l.tar": lying.layers[0]}),
        "bad tag": with_manifest(
            [{"Config": "c.json", "RepoTags": ["UPPER CASE:::"], "Layers": ["l.tar"]}],
            {"c.json": image.configuration(), "l.tar": image.layers[0]}),
        "layer is no tar": with_manifest(
            [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["l.tar"]}],
            {"c.json": canonical(json.loads(image.configuration())
                                 | {"rootfs": {"type": "layers", "diff_ids": [digest_of(b"junk" * 999)]}}),
             "l.tar": b"junk" * 999}),
    }


@pytest.mark.parametrize("case", broken_archives())
def test_broken_archives(engine, case):
    before = {image["Id"] for image in engine.get("/images/json")}
    reply = engine.load_bytes(broken_archives()[case])
    if reply.status == 200:
        assert b'"error"' in reply.body or IS_PEER, reply
    else:
        assert 400 <= reply.status < (600 if IS_PEER else 500), reply
        assert reply.message
    eventually(lambda: {image["Id"] for image in engine.get("/images/json")} == before or IS_PEER)


def test_decompression_bomb(engine, name):
    """10 GB of zeros in a small archive must not fill the disk or the memory."""
    if IS_PEER:
        pytest.skip("dockerd unpacks it")
    inner = gzip.compress(b"\0" * (64 << 20), 9)
    image_config = Image([b""]).configuration()
    archive = with_manifest([{"Config": "c.json", "RepoTags": ["bomb:x"], "Layers": ["l.tar"]}],
                            {"c.json": image_config, "l.tar": inner * 160})
    reply = engine.load_bytes(archive)
    assert reply.status >= 400 or b'"error"' in reply.body
    assert engine.memory() < 1 << 30


# Save and load


def test_save_and_load(engine, make, name, tmp_path):
    tag = make(LayerWriter().file("f", "saved").finish(), config={"Cmd": ["cat", "/f"], "User": "0"})
    before = engine.get(f"/images/{tag}/json")
    engine.docker("save", "-o", tmp_path / "image.tar", tag)
    archive = tarfile.open(tmp_path / "image.tar")
    manifest = json.load(archive.extractfile("manifest.json"))
    assert manifest[0]["RepoTags"] == [tag] and len(manifest[0]["Layers"]) == 2
    config = archive.extractfile(manifest[0]["Config"]).read()
    assert digest_of(config) == before["Id"]
    engine.docker("rmi", tag)
    assert f"Loaded image: {tag}" in engine.out("load", "-i", tmp_path / "image.tar")
    after = engine.get(f"/images/{tag}/json")
    assert after["Id"] == before["Id"] and after["RootFS"] == before["RootFS"]
    assert engine.out("run", "--rm", tag) == "saved"


@pytest.mark.newer_than_peer
def test_saved_archives_are_oci_layouts_too(engine, make, tmp_path):
    tag = make(LayerWriter().file("f", "x").finish())
    engine.docker("save", "-o", tmp_path / "image.tar", tag)
    names = tarfile.open(tmp_path / "image.tar").getnames()
    assert "oci-layout" in names and "index.json" in names


def test_skopeo_reads_saved_archives(engine, make, tmp_path):
    tag = make(LayerWriter().file("f", "x").finish())
    engine.docker("save", "-o", tmp_path / "image.tar", tag)
    seen = subprocess.run(["skopeo", "inspect", f"docker-archive:{tmp_path}/image.tar"],
                          capture_output=True, text=True)
    assert seen.returncode == 0, seen.stderr
    assert len(json.loads(seen.stdout)["Layers"]) == 2


def test_save_several(engine, make, name, tmp_path):
    first, second = make(LayerWriter().file("a").finish()), make(LayerWriter().file("b").finish())
    engine.docker("save", "-o", tmp_path / "both.tar", first, second)
    engine.docker("rmi", first, second)
    output = engine.out("load", "-i", tmp_path / "both.tar")
    assert f"Loaded image: {first}" in output and f"Loaded image: {second}" in output


def test_load_from_standard_input_and_without_tags(engine, name):
    image = Image([base_layer()], {"Labels": {"x": name}})
    reply = engine.load_bytes(image.docker_archive([]))
    assert f"Loaded image ID: {image.id}" in reply.body.decode()
    assert engine.get(f"/images/{image.id}/json")["RepoTags"] in ([], None)
    engine.docker("rmi", image.id)


@pytest.mark.newer_than_peer
def test_save_of_unknown(engine):
    assert "No such image" in engine.fails("save", "no-such:image")


# Tags and removal


def test_tag(engine, make, name):
    tag = make()
    engine.docker("tag", tag, f"example.test:5000/a/b:{name}")
    tags = engine.get(f"/images/{tag}/json")["RepoTags"]
    assert set(tags) == {tag, f"example.test:5000/a/b:{name}"}
    assert f"Untagged: example.test:5000/a/b:{name}" in engine.out("rmi", f"example.test:5000/a/b:{name}")


@pytest.mark.newer_than_peer
@pytest.mark.parametrize("query, status", [
    ("repo=UPPER&tag=x", 400), ("repo=&tag=x", 400), ("repo=ok&tag=bad%20tag", 400),
    ("repo=a%2F%2Fb&tag=x", 400), ("repo=ok&tag=" + "t" * 129, 400),
])
def test_bad_tags(engine, query, status):
    assert engine.request("POST", f"/images/busybox/tag?{query}").status == status


def test_tag_of_unknown(engine):
    assert engine.request("POST", "/images/no-such/tag?repo=x&tag=y").status == 404


def test_moving_a_tag(engine, make, name):
    first = make(LayerWriter().file("one").finish())
    second = make(LayerWriter().file("two").finish())
    identifier = engine.get(f"/images/{first}/json")["Id"]
    engine.docker("tag", second, first)
    assert engine.get(f"/images/{first}/json")["Id"] != identifier
    assert engine.get(f"/images/{identifier}/json")["RepoTags"] in ([], None)
    assert identifier in engine.out("images", "-q", "--no-trunc", "--filter", "dangling=true")
    engine.docker("rmi", identifier)


def test_remove_deletes_layers(engine, make):
    tag = make(LayerWriter().file("unique").finish())
    identifier = engine.get(f"/images/{tag}/json")["Id"]
    items = engine.request("DELETE", f"/images/{tag}").json()
    assert {"Untagged": tag} in items and {"Deleted": identifier} in items
    assert engine.request("GET", f"/images/{tag}/json").status == 404
    assert engine.request("DELETE", f"/images/{tag}").status == 404


def test_remove_one_of_several_tags(engine, make, name):
    tag = make()
    engine.docker("tag", tag, name + ":other")
    items = engine.request("DELETE", f"/images/{tag}").json()
    assert items == [{"Untagged": tag}]
    assert engine.get(f"/images/{name}:other/json")
    engine.docker("rmi", name + ":other")


def test_remove_by_id_with_several_tags(engine, make, name):
    tag = make()
    engine.docker("tag", tag, name + "2:other")
    identifier = engine.get(f"/images/{tag}/json")["Id"]
    reply = engine.request("DELETE", f"/images/{identifier}")
    assert reply.status == 409 and "must be forced" in reply.message
    assert engine.request("DELETE", f"/images/{identifier}?force=1").status == 200
    assert engine.request("GET", f"/images/{tag}/json").status == 404


def test_remove_used_by_a_stopped_container(engine, make, name):
    tag = make()
    engine.docker("create", "--name", name, tag, "true")
    reply = engine.request("DELETE", f"/images/{tag}")
    assert reply.status == 409 and "is using" in reply.message
    assert engine.request("DELETE", f"/images/{tag}?force=1").status == 200
    engine.docker("start", "-a", name)  # its files are still there
    assert engine.inspect(name)["Image"].startswith("sha256:")


def test_remove_used_by_a_running_container(engine, make, name):
    tag = make()
    engine.docker("run", "-d", "--init", "--name", name, tag, "sleep", "600")
    identifier = engine.get(f"/images/{tag}/json")["Id"]
    reply = engine.request("DELETE", f"/images/{identifier}?force=1")
    assert reply.status == 409 and "running container" in reply.message


# Looking


def test_inspect(engine, make):
    tag = make(LayerWriter().file("f", b"x" * 1000).finish(), config={
        "Cmd": ["a"], "Entrypoint": ["b"], "User": "1", "WorkingDir": "/w", "Labels": {"l": "v"},
        "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}}, "StopSignal": "SIGQUIT"})
    detail = engine.get(f"/images/{tag}/json")
    assert detail["Id"].startswith("sha256:") and detail["RepoTags"] == [tag]
    assert detail["Architecture"] == "amd64" and detail["Os"] == "linux"
    assert detail["Created"].startswith("2024-01-01T00:00:00") and detail["Size"] > 1_000_000
    assert detail["RootFS"]["Type"] == "layers" and len(detail["RootFS"]["Layers"]) == 2
    config = detail["Config"]
    assert (config["Cmd"], config["Entrypoint"], config["User"]) == (["a"], ["b"], "1")
    assert config["WorkingDir"] == "/w" and config["Labels"] == {"l": "v"}
    assert config["ExposedPorts"] == {"80/tcp": {}} and config["Volumes"] == {"/v": {}}
    assert config["StopSignal"] == "SIGQUIT"
    for field in ("RepoDigests", "Parent", "GraphDriver", "Metadata"):
        assert field in detail, field
    assert engine.get(f"/images/{detail['Id'][7:19]}/json")["Id"] == detail["Id"]


def test_inspect_of_unknown(engine):
    reply = engine.request("GET", "/images/no-such:thing/json")
    assert reply.status == 404 and "No such image: no-such:thing" in reply.message


def test_list(engine, make, name):
    tag = make(config={"Labels": {"mine": name}})
    item = next(i for i in engine.get("/images/json") if tag in (i["RepoTags"] or []))
    for field in ("Created", "Id", "Labels", "ParentId", "RepoDigests", "RepoTags", "SharedSize", "Size",
                  "Containers"):
        assert field in item, field
    assert item["Created"] == EPOCH and item["Labels"] == {"mine": name}

    def ids(*filters):
        words = [w for f in filters for w in ("--filter", f)]
        return engine.out("images", "--no-trunc", "-q", *words).split()

    assert ids(f"label=mine={name}") == [item["Id"]] and ids("label=mine=other") == []
    assert ids(f"reference={name}") == [item["Id"]] or IS_PEER
    assert ids(f"reference={name}:*") == [item["Id"]] and ids("reference=nothing*") == []
    assert item["Id"] in ids("dangling=false") and item["Id"] not in ids("dangling=true")
    assert engine.request("GET", '/images/json?filters={"no":["x"]}').status == 400
    assert engine.request("GET", '/images/json?filters={"dangling":["maybe"]}').status == 400


def test_list_before_and_since(engine, name):
    images = {}
    for index, created in enumerate(("2020", "2021", "2022")):
        image = Image([base_layer("sh"), LayerWriter().file(created).finish()])
        configuration = json.loads(image.configuration()) | {"created": f"{created}-01-01T00:00:00Z"}
        data = canonical(configuration)
        archive = tar_of({"c.json": data, "0.tar": image.layers[0], "1.tar": image.layers[1],
                          "manifest.json": canonical([{"Config": "c.json", "Layers": ["0.tar", "1.tar"],
                                                       "RepoTags": [f"{name}:{created}"]}])})
        assert engine.load_bytes(archive).status == 200
    listed = engine.out("images", "--format", "{{.Tag}}", "--filter", f"before={name}:2021", name)
    assert listed == "2020"
    listed = engine.out("images", "--format", "{{.Tag}}", "--filter", f"since={name}:2021", name)
    assert listed == "2022"
    for created in ("2020", "2021", "2022"):
        engine.docker("rmi", f"{name}:{created}")


def test_history(engine, name):
    history = [{"created": "2024-01-01T00:00:00Z", "created_by": "ADD base"},
               {"created": "2024-01-02T00:00:00Z", "created_by": "ENV x=y", "empty_layer": True},
               {"created": "2024-01-03T00:00:00Z", "created_by": "COPY f", "comment": "note"}]
    image = Image([base_layer("sh"), LayerWriter().file("f", b"x" * 5000).finish()], {}, history)
    assert engine.load_bytes(image.docker_archive([f"{name}:h"])).status == 200
    items = engine.get(f"/images/{name}:h/history")
    assert [item["CreatedBy"] for item in items] == ["COPY f", "ENV x=y", "ADD base"]
    assert items[0]["Id"] == image.id and items[0]["Tags"] == [f"{name}:h"]
    assert items[1]["Size"] == 0 and 5000 <= items[0]["Size"] < 9000 and items[2]["Size"] > 1_000_000
    assert items[0]["Comment"] == "note"
    engine.docker("rmi", f"{name}:h")


def test_prune(engine, make, name):
    first = make(LayerWriter().file("one").finish())
    identifier = engine.get(f"/images/{first}/json")["Id"]
    second = make(LayerWriter().file("two").finish())
    engine.docker("tag", second, first)
    reply = engine.request("POST", "/images/prune").json()
    assert {"Deleted": identifier} in reply["ImagesDeleted"] and reply["SpaceReclaimed"] > 0
    assert engine.get(f"/images/{second}/json")
    engine.docker("image", "prune", "-af", "--filter", "label=no-such-label")
    assert engine.get(f"/images/{second}/json")


def test_images_survive_the_daemon(engine, make):
    tag = make(LayerWriter().file("f", "kept").finish())
    before = engine.get(f"/images/{tag}/json")
    engine.restart()
    assert engine.get(f"/images/{tag}/json") == before
    assert sh(engine, tag, "cat /f") == "kept"


def test_layers_on_disk_go_with_the_image(engine, name):
    """Loading and removing does not let the data folder grow."""
    def size():
        return int(subprocess.run(["du", "-s", engine.folder + "/data"], capture_output=True,
                                  text=True).stdout.split()[0])

    layer = LayerWriter().file("big", os.urandom(8 << 20)).finish()
    before = size()
    engine.load_bytes(Image([layer]).docker_archive([f"{name}:big"]))
    assert size() > before + 8000
    engine.docker("rmi", f"{name}:big")
    eventually(lambda: size() < before + 1000, 10, "the space is given back")


def test_commit(engine, name):
    engine.docker("run", "--name", name, "busybox", "sh", "-c", "echo committed > /f")
    identifier = engine.out("commit", "-m", "note", "-a", "me", "-c", "CMD cat /f", "-c", "ENV A=b", name,
                            f"{name}:done")
    assert engine.get(f"/images/{name}:done/json")["Id"] == identifier
    assert engine.out("run", "--rm", f"{name}:done") == "committed"
    engine.docker("rmi", f"{name}:done")


def test_import(engine, name, tmp_path):
    (tmp_path / "fs.tar").write_bytes(base_layer())
    engine.docker("import", "-c", "CMD [\"echo\", \"imported\"]", "-c", "ENV PATH=/bin",
                  tmp_path / "fs.tar", f"{name}:imp")
    assert engine.out("run", "--rm", f"{name}:imp") == "imported"
    engine.docker("rmi", f"{name}:imp")


def test_python_client_images(engine, make, name):
    tag = make()
    image = engine.client.images.get(tag)
    assert tag in image.tags
    image.tag(name, "py")
    assert any(f"{name}:py" in i.tags for i in engine.client.images.list(name))
    engine.client.images.remove(f"{name}:py")
    with pytest.raises(Exception) as info:
        engine.client.images.get("no-such:image")
    assert type(info.value).__name__ == "ImageNotFound"


def test_nginx(engine, name):
    engine.load("debian", "nginx")
    engine.docker("run", "-d", "--name", name, "nginx")
    address = engine.inspect(name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    seen = eventually(lambda: engine.docker("run", "--rm", "busybox", "wget", "-qO-",
                                            f"http://{address}/", check=False).stdout)
    assert "Welcome to nginx!" in seen
    eventually(lambda: "GET /" in engine.docker("logs", name).stdout)
    engine.docker("stop", "-t", "10", name)  # SIGQUIT, from the image
    assert engine.inspect(name)["State"]["ExitCode"] == 0
    assert "Debian GNU/Linux 12" in engine.out("run", "--rm", "debian:12", "cat", "/etc/os-release")
