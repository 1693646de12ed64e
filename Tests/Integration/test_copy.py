"""cp both ways, the archive endpoints, diff and export."""

import base64
import io
import json
import os
import tarfile

import pytest

from engine import IS_PEER
from image_archive import LayerWriter

# What the caller got wrong: dockerd 20.10 still calls some of it its own error.
REFUSED = (400, 403, 500) if IS_PEER else (400, 403)


def names_in(data: bytes) -> list[str]:
    return tarfile.open(fileobj=io.BytesIO(data)).getnames()


@pytest.fixture(params=["running", "stopped"])
def box(engine, name, request):
    """A container, running or never started: copying works on both."""
    if request.param == "running":
        engine.docker("run", "-d", "--init", "--name", name, "busybox", "sleep", "600")
    else:
        engine.docker("create", "--name", name, "busybox", "sleep", "600")
    return name


def read(engine, box, path) -> bytes:
    reply = engine.request("GET", f"/containers/{box}/archive?path={path}")
    assert reply.status == 200, reply
    archive = tarfile.open(fileobj=io.BytesIO(reply.body))
    return archive.extractfile(archive.getmembers()[0]).read()


def test_file_in_and_out(engine, box, tmp_path):
    (tmp_path / "in").write_text("content\n")
    os.chmod(tmp_path / "in", 0o640)
    engine.docker("cp", tmp_path / "in", f"{box}:/tmp/there")
    engine.docker("cp", f"{box}:/tmp/there", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "content\n"
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_folder_in_and_out(engine, box, tmp_path):
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/f").write_text("deep")
    os.symlink("e/f", tmp_path / "d/link")
    engine.docker("cp", tmp_path / "d", f"{box}:/tmp")
    engine.docker("cp", f"{box}:/tmp/d", tmp_path / "back")
    assert (tmp_path / "back/e/f").read_text() == "deep"
    assert os.readlink(tmp_path / "back/link") == "e/f"


def test_contents_of_a_folder(engine, box, tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").write_text("x")
    engine.docker("cp", f"{tmp_path}/d/.", f"{box}:/home")
    assert read(engine, box, "/home/f") == b"x"


def test_through_standard_streams(engine, box):
    archive = LayerWriter().file("streamed", "data").finish()
    reply = engine.request("PUT", f"/containers/{box}/archive?path=/tmp", archive,
                           {"Content-Type": "application/x-tar"})
    assert reply.status == 200, reply
    assert read(engine, box, "/tmp/streamed") == b"data"


def test_head_tells_about_the_path(engine, box):
    reply = engine.request("HEAD", f"/containers/{box}/archive?path=/etc/passwd")
    assert reply.status == 200
    status = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
    assert status["name"] == "passwd" and status["size"] > 100 and status["linkTarget"] == ""
    assert status["mode"] & 0o777 == 0o644 and status["mtime"].startswith("20")
    reply = engine.request("HEAD", f"/containers/{box}/archive?path=/etc")
    status = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
    assert status["mode"] & (1 << 31)  # Go's bit for folders
    reply = engine.request("HEAD", f"/containers/{box}/archive?path=/sbin")
    status = json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))
    assert status["mode"] & (1 << 27) and status["linkTarget"] == "/bin"


def test_what_is_not_there(engine, box):
    reply = engine.request("GET", f"/containers/{box}/archive?path=/none")
    assert reply.status == 404 and "/none" in reply.message
    assert engine.request("HEAD", f"/containers/{box}/archive?path=/none").status == 404
    empty = LayerWriter().file("x").finish()
    assert engine.request("PUT", f"/containers/{box}/archive?path=/none", empty).status == 404
    assert engine.request("PUT", f"/containers/{box}/archive?path=/etc/passwd", empty).status in REFUSED
    assert engine.request("GET", f"/containers/{box}/archive").status == 400
    assert engine.request("GET", "/containers/nobody/archive?path=/").status == 404


def test_no_overwriting_of_folders_by_files(engine, box):
    archive = LayerWriter().file("spool", "no folder").finish()
    reply = engine.request("PUT", f"/containers/{box}/archive?path=/var&noOverwriteDirNonDir=1", archive)
    assert reply.status in REFUSED and "directory" in reply.message


def test_ownership_with_archive_flag(engine, sleeper, tmp_path):
    (tmp_path / "f").write_text("x")
    os.chown(tmp_path / "f", 1000, 33)
    engine.docker("cp", "-a", tmp_path / "f", f"{sleeper}:/tmp/kept")
    engine.docker("cp", tmp_path / "f", f"{sleeper}:/tmp/plain")
    assert engine.out("exec", sleeper, "stat", "-c", "%u:%g", "/tmp/kept") == "1000:33"


def test_symlinks_are_resolved_inside_the_container(engine, sleeper, tmp_path):
    """Links that climb out lead to the container's own files, never to the host's."""
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    engine.docker("exec", sleeper, "sh", "-c",
                  f"ln -s {tmp_path} /escape; ln -s ../../../../../../..{tmp_path} /climb;"
                  "ln -s /etc /tmp/etc")
    for link in ("escape", "climb"):
        reply = engine.request("GET", f"/containers/{sleeper}/archive?path=/{link}/secret")
        assert reply.status == 404
        archive = LayerWriter().file("planted", "x").finish()
        reply = engine.request("PUT", f"/containers/{sleeper}/archive?path=/{link}", archive)
        assert reply.status in (404, *REFUSED)
    assert sorted(os.listdir(tmp_path)) == ["secret"]
    assert b"root:" in read(engine, sleeper, "/tmp/etc/passwd")
    assert b"root:" in read(engine, sleeper, "/tmp/etc/../../../../etc/passwd")


def test_hostile_archives_stay_inside(engine, sleeper, tmp_path):
    target = str(tmp_path)
    hostile = [
        LayerWriter().file("../../../../../../../.." + target + "/a", "x").finish(),
        LayerWriter().symlink("hole", target).file("hole/b", "x").finish(),
        LayerWriter().symlink("hole2", "/../../../../../../.." + target).file("hole2/c", "x").finish(),
        LayerWriter().hardlink("link", "../../../../../../../../etc/hostname").finish(),
    ]
    for archive in hostile:
        engine.request("PUT", f"/containers/{sleeper}/archive?path=/tmp", archive)
    assert os.listdir(tmp_path) == []
    engine.docker("exec", sleeper, "sh", "-c", "rm -rf /tmp/link /tmp/hole /tmp/hole2")
    assert os.path.exists("/etc/hostname")


def test_broken_archives(engine, sleeper):
    reply = engine.request("PUT", f"/containers/{sleeper}/archive?path=/tmp", b"no tar at all" * 100)
    assert reply.status in REFUSED and reply.message
    whole = LayerWriter().file("f", b"x" * 100_000).finish()
    reply = engine.request("PUT", f"/containers/{sleeper}/archive?path=/tmp", whole[:50_000])
    assert reply.status in REFUSED


def test_copy_into_a_volume(engine, name, tmp_path):
    engine.docker("create", "--name", name, "-v", "/data", "busybox", "cat", "/data/f")
    (tmp_path / "f").write_text("in the volume\n")
    engine.docker("cp", tmp_path / "f", f"{name}:/data/f")
    assert engine.out("start", "-a", name) == "in the volume"


def test_copy_out_of_a_bind(engine, name, tmp_path):
    (tmp_path / "f").write_text("bound\n")
    engine.docker("create", "--name", name, "-v", f"{tmp_path}:/data", "busybox")
    assert read(engine, name, "/data/f") == b"bound\n"


def test_copy_into_read_only_container(engine, name, tmp_path):
    engine.docker("run", "-d", "--init", "--read-only", "--name", name, "busybox", "sleep", "600")
    archive = LayerWriter().file("f", "x").finish()
    reply = engine.request("PUT", f"/containers/{name}/archive?path=/tmp", archive)
    assert reply.status in REFUSED and "read-only" in reply.message


def test_diff(engine, name):
    engine.docker("run", "--name", name, "busybox", "sh", "-c",
                  "echo x > /new; echo y >> /etc/passwd; rm /etc/shadow; mkdir /d; touch /d/f")
    changes = {item["Path"]: item["Kind"] for item in engine.get(f"/containers/{name}/changes")}
    assert changes == {"/new": 1, "/etc": 0, "/etc/passwd": 0, "/etc/shadow": 2, "/d": 1, "/d/f": 1}
    lines = engine.out("diff", name).splitlines()
    assert "A /new" in lines and "C /etc/passwd" in lines and "D /etc/shadow" in lines


def test_diff_of_an_untouched_container(engine, name):
    engine.docker("create", "--name", name, "busybox")
    assert engine.get(f"/containers/{name}/changes") in (None, [])


def test_export(engine, name, tmp_path):
    engine.docker("run", "--name", name, "busybox", "sh", "-c", "echo data > /new; rm /etc/shadow")
    engine.docker("export", "-o", tmp_path / "fs.tar", name)
    archive = tarfile.open(tmp_path / "fs.tar")
    members = {member.name.rstrip("/"): member for member in archive.getmembers()}
    assert archive.extractfile(members["new"]).read() == b"data\n"
    assert "etc/shadow" not in members and "bin/busybox" in members
    assert members["home/user"].uid == 1000


def test_python_client_archives(engine, sleeper):
    container = engine.client.containers.get(sleeper)
    assert container.put_archive("/tmp", LayerWriter().file("p", "python").finish())
    chunks, status = container.get_archive("/tmp/p")
    assert status["name"] == "p" and status["size"] == 6
    archive = tarfile.open(fileobj=io.BytesIO(b"".join(chunks)))
    assert archive.extractfile("p").read() == b"python"
