"""Local volumes."""

import os
import re
import subprocess

import pytest

from engine import eventually
from image_archive import Image, LayerWriter


def test_create_inspect_remove(engine, name):
    assert engine.out("volume", "create", "--label", "a=b", name) == name
    detail = engine.get(f"/volumes/{name}")
    assert detail["Name"] == name and detail["Driver"] == "local" and detail["Scope"] == "local"
    assert detail["Labels"] == {"a": "b"} and detail["CreatedAt"].startswith("20")
    assert detail["Mountpoint"].endswith(f"/volumes/{name}/_data") and os.path.isdir(detail["Mountpoint"])
    engine.docker("volume", "rm", name)
    assert engine.request("GET", f"/volumes/{name}").status == 404
    assert not os.path.exists(detail["Mountpoint"])


def test_create_is_repeatable(engine, name):
    engine.docker("volume", "create", name)
    assert engine.request("POST", "/volumes/create", {"Name": name}).status == 201


def test_generated_names(engine):
    assert re.fullmatch("[0-9a-f]{64}", engine.out("volume", "create"))


@pytest.mark.parametrize("bad", ["../escape", "a/b", ".hidden", "-dash", "a b", "x\0y", "ü"])
def test_bad_names(engine, bad):
    reply = engine.request("POST", "/volumes/create", {"Name": bad})
    assert reply.status == 400, reply


def test_data_survives_containers(engine, name):
    engine.docker("run", "--rm", "-v", f"{name}:/data", "busybox", "sh", "-c", "echo kept > /data/f")
    assert engine.out("run", "--rm", "-v", f"{name}:/data", "busybox", "cat", "/data/f") == "kept"


def test_data_survives_the_daemon(engine, name):
    engine.docker("run", "--rm", "-v", f"{name}:/data", "busybox", "sh", "-c", "echo kept > /data/f")
    engine.restart()
    assert engine.out("run", "--rm", "-v", f"{name}:/data", "busybox", "cat", "/data/f") == "kept"


def test_in_use(engine, name):
    engine.docker("create", "--name", name, "-v", f"{name}:/data", "busybox")
    reply = engine.request("DELETE", f"/volumes/{name}")
    assert reply.status == 409 and "in use" in reply.message
    assert engine.request("DELETE", f"/volumes/{name}?force=1").status == 409
    engine.docker("rm", name)
    assert engine.request("DELETE", f"/volumes/{name}").status == 204
    assert engine.request("DELETE", f"/volumes/{name}").status == 404
    assert engine.request("DELETE", f"/volumes/{name}?force=1").status == 204


def test_filled_from_the_image(engine, name):
    seen = engine.out("run", "--rm", "-v", f"{name}:/etc", "busybox", "cat", "/etc/passwd")
    assert "root:" in seen
    folder = engine.get(f"/volumes/{name}")["Mountpoint"]
    assert os.path.exists(folder + "/group")
    assert os.stat(folder + "/shadow").st_mode & 0o777 == 0o640


def test_owner_and_mode_come_from_the_image(engine, name):
    engine.docker("run", "--rm", "-v", f"{name}:/home/user", "busybox", "true")
    folder = engine.get(f"/volumes/{name}")["Mountpoint"]
    assert os.stat(folder).st_uid == 1000


def test_not_filled_twice(engine, name):
    engine.docker("run", "--rm", "-v", f"{name}:/etc", "busybox", "rm", "/etc/shadow")
    assert engine.docker("run", "--rm", "-v", f"{name}:/etc", "busybox", "ls", "/etc/shadow",
                         check=False).returncode != 0


def test_nocopy(engine, name):
    assert engine.out("run", "--rm", "-v", f"{name}:/home:nocopy", "busybox", "ls", "/home") == ""
    assert engine.out("run", "--rm", "--mount", f"src={name}2,dst=/home,volume-nocopy", "busybox", "ls",
                      "/home") == ""


def test_read_only(engine, name):
    message = engine.fails("run", "--rm", "-v", f"{name}:/data:ro", "busybox", "touch", "/data/x")
    assert "Read-only" in message


@pytest.mark.newer_than_peer
@pytest.mark.newer_client
def test_subpath(engine, name):
    engine.docker("run", "--rm", "-v", f"{name}:/data", "busybox", "sh", "-c",
                  "mkdir -p /data/in/side; echo deep > /data/in/side/f; ln -s / /data/out")
    mount = f"type=volume,src={name},dst=/x,volume-subpath="
    assert engine.out("run", "--rm", "--mount", mount + "in/side", "busybox", "cat", "/x/f") == "deep"
    message = engine.fails("run", "--rm", "--mount", mount + "missing", "busybox", "true")
    assert "missing" in message or "no such file" in message
    engine.fails("run", "--rm", "--mount", mount + "../..", "busybox", "true")
    seen = engine.docker("run", "--rm", "--mount", mount + "out", "busybox", "ls", "/x", check=False)
    assert seen.returncode != 0 or "volumes" not in seen.stdout and "root" not in seen.stdout


def test_anonymous_volumes_of_the_image(engine, name):
    with open("/bin/busybox", "rb") as file:
        layer = (LayerWriter().directory("bin").file("bin/cat", file.read(), 0o755)
                 .directory("data").file("data/f", "from the image\n").finish())
    image = Image([layer], {"Volumes": {"/data": {}}, "Cmd": ["/bin/cat", "/data/f"]})
    assert engine.load_bytes(image.docker_archive([name + ":latest"])).status == 200
    assert engine.out("run", "--name", name, name) == "from the image"
    (mount,) = engine.inspect(name)["Mounts"]
    assert mount["Type"] == "volume" and mount["Destination"] == "/data"
    assert re.fullmatch("[0-9a-f]{64}", mount["Name"])
    engine.docker("rm", "-v", name)
    assert engine.request("GET", f"/volumes/{mount['Name']}").status == 404
    engine.docker("rmi", name)


def test_shared_by_running_containers(engine, name):
    for suffix in "ab":
        engine.docker("run", "-d", "--init", "--name", name + suffix, "-v", f"{name}:/data", "busybox",
                      "sleep", "600")
    engine.docker("exec", name + "a", "sh", "-c", "echo shared > /data/f")
    assert engine.out("exec", name + "b", "cat", "/data/f") == "shared"


def test_list_filters(engine, name):
    engine.docker("volume", "create", "--label", "x=1", name + "-a")
    engine.docker("volume", "create", name + "-b")
    engine.docker("create", "-v", f"{name}-b:/d", "busybox")

    def names(*filters):
        words = [w for f in filters for w in ("--filter", f)]
        return set(engine.out("volume", "ls", "-q", *words).split())

    assert names() == {name + "-a", name + "-b"}
    assert names("dangling=true") == {name + "-a"} and names("dangling=false") == {name + "-b"}
    assert names("label=x=1") == {name + "-a"} and names("label=y") == set()
    assert names(f"name={name}-b") == {name + "-b"} and names("driver=local") == names()
    assert names("driver=other") == set()
    assert engine.request("GET", '/volumes?filters={"no":["x"]}').status == 400


def test_prune(engine, name):
    engine.docker("volume", "create", name + "-named")
    anonymous = engine.out("volume", "create")
    engine.docker("create", "-v", f"{name}-used:/d", "busybox")
    reply = engine.request("POST", '/v1.41/volumes/prune')
    assert set(reply.json()["VolumesDeleted"]) == {name + "-named", anonymous}
    assert {v["Name"] for v in engine.get("/volumes")["Volumes"]} == {name + "-used"}


@pytest.mark.newer_than_peer
@pytest.mark.newer_client
def test_prune_spares_named_volumes_since_1_42(engine, name):
    engine.docker("volume", "create", name)
    anonymous = engine.request("POST", "/v1.47/volumes/create", {}).json()["Name"]
    assert engine.request("POST", "/v1.47/volumes/prune").json()["VolumesDeleted"] == [anonymous]
    engine.docker("volume", "prune", "-af")
    assert not engine.get("/volumes")["Volumes"]


def test_bind_option(engine, name, tmp_path):
    (tmp_path / "f").write_text("bound\n")
    engine.docker("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", name)
    assert engine.out("run", "--rm", "-v", f"{name}:/data", "busybox", "cat", "/data/f") == "bound"
    assert engine.get(f"/volumes/{name}")["Options"] == {"type": "none", "o": "bind",
                                                        "device": str(tmp_path)}
    engine.docker("volume", "rm", name)
    assert (tmp_path / "f").exists()


def test_tmpfs_option(engine, name):
    engine.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=2m", name)
    seen = engine.out("run", "--rm", "-v", f"{name}:/data", "busybox", "grep", " /data ", "/proc/mounts")
    assert seen.startswith("tmpfs") and "size=2048k" in seen
    folder = engine.get(f"/volumes/{name}")["Mountpoint"]
    eventually(lambda: not os.path.ismount(folder))


def test_mounted_volume_is_counted(engine, name):
    """A mounting volume stays mounted until its last container goes."""
    engine.docker("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", name)
    for suffix in "ab":
        engine.docker("run", "-d", "--init", "--name", name + suffix, "-v", f"{name}:/data", "busybox",
                      "sleep", "600")
    engine.docker("exec", name + "a", "touch", "/data/f")
    engine.docker("rm", "-f", name + "a")
    assert engine.out("exec", name + "b", "ls", "/data") == "f"


@pytest.mark.parametrize("options", [
    {"colour": "red"}, {"type": "none", "o": "bind"}, {"size": "1m", "nonsense": ""},
])
def test_bad_options(engine, name, options):
    reply = engine.request("POST", "/volumes/create", {"Name": name, "DriverOpts": options})
    assert reply.status == 400, reply
    assert engine.request("GET", f"/volumes/{name}").status == 404


def test_unknown_driver(engine, name):
    reply = engine.request("POST", "/volumes/create", {"Name": name, "Driver": "no-such-driver"})
    assert reply.status in (400, 404) and "no-such-driver" in reply.message


def test_missing_bind_device(engine, name):
    engine.docker("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/no/such/folder",
                  name)
    message = engine.fails("run", "--rm", "-v", f"{name}:/data", "busybox", "true")
    assert "no such file or directory" in message


def test_usage_in_system_df(engine, name):
    engine.docker("run", "--name", name, "-v", f"{name}:/data", "busybox", "dd", "if=/dev/zero",
                  "of=/data/f", "bs=1M", "count=2")
    (volume,) = engine.get("/system/df")["Volumes"]
    assert volume["UsageData"]["RefCount"] == 1
    assert 2 << 20 <= volume["UsageData"]["Size"] < 3 << 20


def test_python_client_volumes(engine, name):
    volume = engine.client.volumes.create(name, labels={"a": "b"})
    assert volume.attrs["Labels"] == {"a": "b"}
    assert [v.name for v in engine.client.volumes.list()] == [name]
    volume.remove()
    assert engine.client.volumes.list() == []


def test_nfs_that_does_not_answer(engine, name):
    """What the mount says reaches the user, and the container is not left half made."""
    engine.docker("volume", "create", "-o", "type=nfs", "-o", "o=addr=127.0.0.1,soft,timeo=5,retrans=1",
                  "-o", "device=:/nothing", name)
    message = engine.fails("run", "--rm", "-v", f"{name}:/data", "busybox", "true")
    assert re.search("mount|no such device|connection refused|not supported", message, re.I), message
    engine.docker("volume", "rm", name)
