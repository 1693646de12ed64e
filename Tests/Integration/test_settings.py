"""Every setting of a container, seen from inside a real one."""

import json
import os
import re
from pathlib import Path

import pytest

from engine import eventually

# A daemon can give away no more capabilities than it has; in a sandbox that is not all of them.
OWN_BOUND = re.search(r"CapBnd:\s+(\w+)", Path("/proc/self/status").read_text())[1]
NEWER = {"cap-add-all", "privileged", "privileged-writable-sys", "seccomp-privileged", "mac-address"}

# What is asked of `docker run`, the command inside, and what its output must match.
SEEN = {
    "command": ([], ["echo", "a", "b c"], "^a b c$"),
    "env": (["-e", "A=1", "-e", "B=x y"], ["sh", "-c", 'echo "$A|$B"'], r"^1\|x y$"),
    "env-of-the-image": ([], ["sh", "-c", "echo $PATH"], "^/usr/local/sbin:/usr/local/bin:"),
    "env-home-of-root": ([], ["sh", "-c", "echo $HOME"], "^/root$"),
    "env-home-of-user": (["-u", "user"], ["sh", "-c", "echo $HOME"], "^/home/user$"),
    "env-hostname": (["-h", "box"], ["sh", "-c", "echo $HOSTNAME"], "^box$"),
    "env-term": (["-t"], ["sh", "-c", "echo $TERM"], "^xterm"),
    "user-name": (["-u", "user"], ["id"], r"^uid=1000\(user\) gid=1000\(user\) groups=.*8\(mail\).*29\(audio\)"),
    "user-number": (["-u", "1000"], ["id"], r"^uid=1000\(user\) gid=1000\(user\)"),
    "user-and-group": (["-u", "1000:33"], ["id"], r"^uid=1000\(user\) gid=33\(www-data\)"),
    "user-and-group-names": (["-u", "user:staff"], ["id"], r"gid=50\(staff\)"),
    "user-unknown-number": (["-u", "4242:4343"], ["id"], "^uid=4242 gid=4343"),
    "group-add": (["-u", "user", "--group-add", "staff", "--group-add", "777"], ["id", "-G"],
                  r"(?=.*\b50\b)(?=.*\b777\b)"),
    "workdir": (["-w", "/var/spool"], ["pwd"], "^/var/spool$"),
    "workdir-is-made": (["-w", "/not/there/yet"], ["pwd"], "^/not/there/yet$"),
    "hostname": (["-h", "box"], ["sh", "-c", "hostname; cat /etc/hostname"], "^box\nbox$"),
    "hostname-in-hosts": (["-h", "box"], ["cat", "/etc/hosts"], r"10\.199\.\d+\.\d+\s+box"),
    "domainname": (["-h", "box", "--domainname", "example.test"],
                   ["cat", "/etc/hosts", "/proc/sys/kernel/domainname"],
                   r"(?s)box\.example\.test box.*example\.test"),
    "tty": (["-t"], ["sh", "-c", "tty; test -t 0 && test -t 1 && echo yes"],
            "^/dev/pts/0\r?\nyes"),
    "no-tty": ([], ["sh", "-c", "test -t 1 || echo no"], "^no$"),
    "init": (["--init"], ["cat", "/proc/1/cmdline"], "docker-init|tini"),
    "no-init": ([], ["sh", "-c", "echo $$"], "^1$"),
    "read-only": (["--read-only"], ["sh", "-c", "touch /x; touch /dev/shm/y && echo ok"], "^ok$"),
    "tmpfs": (["--tmpfs", "/t:size=1m,mode=1770,uid=5"],
              ["sh", "-c", "grep ' /t ' /proc/mounts; stat -c '%a %u' /t"],
              r"(?s)^tmpfs /t tmpfs .*nosuid.*size=1024k.*1770 5"),
    "tmpfs-default-noexec": (["--tmpfs", "/t"], ["grep", " /t ", "/proc/mounts"],
                             "nosuid,nodev,noexec"),
    "shm-size": (["--shm-size", "8m"], ["grep", " /dev/shm ", "/proc/mounts"], "size=8192k"),
    "shm-default": ([], ["grep", " /dev/shm ", "/proc/mounts"], "size=65536k"),
    "cap-default": ([], ["grep", "CapEff", "/proc/self/status"], "00000000a80425fb"),
    "cap-drop-all": (["--cap-drop", "ALL"], ["grep", "CapEff", "/proc/self/status"], "0{16}"),
    "cap-add": (["--cap-drop", "ALL", "--cap-add", "NET_ADMIN"],
                ["grep", "CapEff", "/proc/self/status"], "0000000000001000"),
    "cap-add-prefixed": (["--cap-drop", "all", "--cap-add", "CAP_CHOWN"],
                         ["grep", "CapEff", "/proc/self/status"], "0000000000000001"),
    "cap-add-all": (["--cap-add", "ALL"], ["grep", "CapEff", "/proc/self/status"],
                    OWN_BOUND),
    "cap-of-other-users": (["-u", "user"], ["grep", "CapEff", "/proc/self/status"], "0{16}"),
    "privileged": (["--privileged"], ["sh", "-c", "grep CapEff /proc/self/status; ls /dev/loop-control"
                                      " /dev/kmsg; mount -t tmpfs x /mnt 2>&1 || mkdir /mnt;"
                                      " mount -t tmpfs x /mnt && echo mounted"],
                   f"(?s){OWN_BOUND}.*/dev/kmsg.*mounted"),
    "privileged-writable-sys": (["--privileged"], ["grep", " /sys ", "/proc/mounts"],
                                "^sysfs /sys sysfs rw"),
    "sys-is-read-only": ([], ["grep", " /sys ", "/proc/mounts"], "^sysfs /sys sysfs ro"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"],
                          ["grep", "NoNewPrivs", "/proc/self/status"], r"NoNewPrivs:\s+1"),
    "new-privileges": ([], ["grep", "NoNewPrivs", "/proc/self/status"], r"NoNewPrivs:\s+0"),
    "seccomp-default": ([], ["grep", "Seccomp:", "/proc/self/status"], r"Seccomp:\s+2"),
    "seccomp-default-refuses": (["--cap-add", "SYS_TIME"], ["sh", "-c", "unshare -U true 2>&1; echo $?"],
                                "(?s)not permitted.*1$"),
    "seccomp-unconfined": (["--security-opt", "seccomp=unconfined"],
                           ["grep", "Seccomp:", "/proc/self/status"], r"Seccomp:\s+0"),
    "seccomp-privileged": (["--privileged"], ["grep", "Seccomp:", "/proc/self/status"],
                           r"Seccomp:\s+0"),
    "masked-paths": ([], ["sh", "-c", "for f in kcore keys timer_list scsi; do [ ! -e /proc/$f ] ||"
                                      " find /proc/$f -type f -exec cat {} +; done;"
                                      " ls /sys/firmware; echo end"], "^end$"),
    "readonly-paths": ([], ["sh", "-c", "grep -E ' /proc/(sys|bus|irq|sysrq-trigger|fs) '"
                                        " /proc/mounts | grep -c ' ro,'"], "^[345]$"),
    "unmasked-when-told": (["--security-opt", "systempaths=unconfined"],
                           ["sh", "-c", "grep -cE ' /proc/(sys|kcore) ' /proc/mounts"], "^0$"),
    "device": (["--device", "/dev/loop-control:/dev/other:r"],
               ["sh", "-c", "ls -l /dev/other"], "^c.*10, 237"),
    "device-default-set": ([], ["sh", "-c", "cd /dev; ls -d null zero full random urandom tty fd"
                                            " stdin ptmx shm pts mqueue | wc -l"], "^12$"),
    "device-writes": (["--device", "/dev/null:/dev/gone"], ["sh", "-c", "echo x > /dev/gone && echo ok"], "^ok$"),
    "ulimit": (["--ulimit", "nofile=123:456", "--ulimit", "core=0"],
               ["sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c"], "^123\n456\n0$"),
    "sysctl": (["--sysctl", "net.ipv4.ip_forward=0", "--sysctl", "kernel.msgmax=12345"],
               ["cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax"], "^0\n12345$"),
    "sysctl-default": ([], ["cat", "/proc/sys/net/ipv4/ping_group_range",
                            "/proc/sys/net/ipv4/ip_unprivileged_port_start"], r"^0\s+2147483647\n0$"),
    "pid-own": ([], ["sh", "-c", "ls -d /proc/[0-9]* | wc -l"], "^[1-5]$"),
    "ipc-private": (["--ipc", "private"], ["sh", "-c", "grep -c ' /dev/shm ' /proc/mounts"], "^1$"),
    "ipc-none": (["--ipc", "none"], ["sh", "-c", "grep -c ' /dev/shm ' /proc/mounts || true"], "^0$"),
    "oom-score-adj": (["--oom-score-adj", "321"], ["cat", "/proc/self/oom_score_adj"], "^321$"),
    "add-host": (["--add-host", "one.test:10.1.2.3", "--add-host", "six.test:fd00::5"],
                 ["cat", "/etc/hosts"], r"(?s)10\.1\.2\.3\s+one\.test.*fd00::5\s+six\.test"),
    "add-host-gateway": (["--add-host", "up.test:host-gateway"], ["cat", "/etc/hosts"],
                         r"10\.199\.\d+\.1\s+up\.test"),
    "dns-server": (["--dns", "10.9.8.7"], ["cat", "/etc/resolv.conf"], r"(?m)^nameserver 10\.9\.8\.7$"),
    "dns-search": (["--dns", "10.9.8.7", "--dns-search", "example.test"], ["cat", "/etc/resolv.conf"],
                   r"(?m)^search example\.test$"),
    "dns-option": (["--dns", "10.9.8.7", "--dns-option", "ndots:3"], ["cat", "/etc/resolv.conf"],
                   r"(?m)^options ndots:3"),
    "network-none": (["--network", "none"], ["sh", "-c", "ls /sys/class/net | tr '\\n' ' '"], r"^lo\s*(\w+0\s*)*$"),
    "loopback-is-up": (["--network", "none"], ["ip", "addr", "show", "lo"],
                       r"(?s)[<,]UP.*127\.0\.0\.1/8"),
    "mac-address": (["--mac-address", "02:42:0a:0b:0c:0d"], ["cat", "/sys/class/net/eth0/address"],
                    "^02:42:0a:0b:0c:0d$"),
    "umask": ([], ["sh", "-c", "umask"], "^0022$"),
    "root-propagation": ([], ["sh", "-c", "echo $(id -u) $(cat /proc/1/comm)"], "^0 "),
    "mqueue": ([], ["grep", " /dev/mqueue ", "/proc/mounts"], "^mqueue"),
    "cgroup-mounted-read-only": ([], ["sh", "-c", "grep -E ' /sys/fs/cgroup(/[a-z,_]+)? cgroup' /proc/mounts"
                                                  " | grep -vc ' ro,'; true"], "^0$"),
}


@pytest.mark.parametrize("case", [
    pytest.param(case, marks=pytest.mark.newer_than_peer) if case in NEWER else case
    for case in SEEN])
def test_seen_from_inside(engine, case):
    arguments, command, expected = SEEN[case]
    if "-t" in arguments:
        # A terminal on the daemon's side only: the client has none here.
        identifier = engine.out("create", *arguments, "busybox", *command)
        engine.docker("start", identifier)
        engine.docker("wait", identifier)
        seen = engine.out("logs", identifier)
    else:
        seen = engine.docker("run", "--rm", *arguments, "busybox", *command, check=False)
        seen = (seen.stdout + ("" if case != "privileged" else "")).strip() or seen.stderr
    assert re.search(expected, seen), f"{seen!r} does not match {expected!r}"


def cgroup_value(engine, name, v1, v2=None):
    """A container's control-group setting as the host has it."""
    pid = engine.inspect(name)["State"]["Pid"]
    with open(f"/proc/{pid}/cgroup") as file:
        for line in file:
            number, controllers, path = line.strip().split(":", 2)
            if number != "0" and v1.partition(".")[0] in controllers.split(","):
                for mount in (controllers, v1.partition(".")[0]):
                    candidate = f"/sys/fs/cgroup/{mount}{path}/{v1}"
                    if os.path.exists(candidate):
                        return open(candidate).read().strip()
    if v2 and os.path.exists(f"/sys/fs/cgroup{path}/{v2}"):
        return open(f"/sys/fs/cgroup{path}/{v2}").read().strip()
    pytest.skip(f"this kernel has no {v1}")


CGROUPS = {
    "cpu-shares": (["--cpu-shares", "512"], "cpu.shares", "512"),
    "cpu-quota": (["--cpu-quota", "25000", "--cpu-period", "50000"], "cpu.cfs_quota_us", "25000"),
    "cpu-period": (["--cpu-quota", "25000", "--cpu-period", "50000"], "cpu.cfs_period_us", "50000"),
    "cpus": (["--cpus", "0.25"], "cpu.cfs_quota_us", "25000"),
    "cpuset-cpus": (["--cpuset-cpus", "0"], "cpuset.cpus", "0"),
    "cpuset-mems": (["--cpuset-mems", "0"], "cpuset.mems", "0"),
    "memory": (["--memory", "48m"], "memory.limit_in_bytes", str(48 << 20)),
    "memory-swap": (["--memory", "48m", "--memory-swap", "64m"], "memory.memsw.limit_in_bytes",
                    str(64 << 20)),
    "memory-swap-default-is-double": (["--memory", "48m"], "memory.memsw.limit_in_bytes",
                                      str(96 << 20)),
    "memory-reservation": (["--memory", "48m", "--memory-reservation", "32m"],
                           "memory.soft_limit_in_bytes", str(32 << 20)),
    "memory-swappiness": (["--memory", "48m", "--memory-swappiness", "7"], "memory.swappiness", "7"),
    "pids-limit": (["--pids-limit", "77"], "pids.max", "77"),
    "blkio-weight": (["--blkio-weight", "300"], "blkio.weight", "300"),
}


@pytest.mark.parametrize("case", CGROUPS)
def test_control_groups(engine, name, case):
    arguments, setting, expected = CGROUPS[case]
    engine.docker("run", "-d", "--init", "--name", name, *arguments, "busybox", "sleep", "600")
    assert cgroup_value(engine, name, setting) == expected


def test_pids_limit_bites(engine):
    result = engine.docker("run", "--rm", "--pids-limit", "10", "busybox", "sh", "-c",
                           "for i in $(seq 20); do sleep 2 & done; wait", check=False)
    assert "can't fork" in result.stderr + result.stdout


def test_device_cgroup_refuses_others(engine):
    seen = engine.docker("run", "--rm", "--cap-add", "MKNOD", "busybox", "sh", "-c",
                         "mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg", check=False)
    assert seen.returncode != 0 and "not permitted" in seen.stderr


def test_device_cgroup_rule(engine):
    seen = engine.docker("run", "--rm", "--cap-add", "MKNOD", "--device-cgroup-rule", "c 1:11 rw",
                         "busybox", "sh", "-c",
                         "mknod /tmp/kmsg c 1 11; dd if=/dev/null of=/tmp/kmsg 2>/dev/null && echo ok",
                         check=False)
    assert seen.stdout == "ok\n"


def test_entrypoint(engine):
    assert engine.out("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b") == "a b"
    # An entrypoint set at creation drops the command of the image.
    assert engine.out("run", "--rm", "--entrypoint", "echo", "busybox") == ""


def test_entrypoint_of_the_python_client(engine):
    output = engine.client.containers.run("busybox", ["c"], entrypoint=["echo", "a", "b"],
                                          remove=True)
    assert output == b"a b c\n"


def test_labels(engine, name, tmp_path):
    labels = tmp_path / "labels"
    labels.write_text("from.file=1\nempty=\n")
    engine.docker("create", "--name", name, "--label", "a=b", "--label", "c", "--label-file", labels,
                  "busybox")
    assert engine.inspect(name)["Config"]["Labels"] == {"a": "b", "c": "", "from.file": "1",
                                                        "empty": ""}


def test_env_file(engine, tmp_path):
    env = tmp_path / "env"
    env.write_text("# comment\nA=one\n")
    assert engine.out("run", "--rm", "--env-file", env, "busybox", "sh", "-c", "echo $A") == "one"


def test_read_only_root_refuses_writes(engine):
    message = engine.fails("run", "--rm", "--read-only", "busybox", "touch", "/x")
    assert "Read-only file system" in message


def test_read_only_with_tmpfs(engine):
    assert engine.out("run", "--rm", "--read-only", "--tmpfs", "/run", "busybox", "sh", "-c",
                      "touch /run/x && echo ok") == "ok"


# Modes that share a namespace


def test_pid_of_the_host(engine):
    seen = engine.out("run", "--rm", "--pid", "host", "busybox", "readlink", "/proc/self/ns/pid")
    assert seen == os.readlink("/proc/self/ns/pid")


def test_pid_of_a_container(engine, sleeper):
    seen = engine.out("run", "--rm", "--pid", f"container:{sleeper}", "busybox", "ps", "-o", "args")
    assert "sleep 600" in seen


def test_uts_of_the_host(engine):
    seen = engine.out("run", "--rm", "--uts", "host", "busybox", "hostname")
    assert seen == os.uname().nodename


def test_ipc_of_the_host(engine):
    seen = engine.out("run", "--rm", "--ipc", "host", "busybox", "readlink", "/proc/self/ns/ipc")
    assert seen == os.readlink("/proc/self/ns/ipc")


def test_ipc_of_a_container(engine, name):
    engine.docker("run", "-d", "--init", "--ipc", "shareable", "--name", name, "busybox", "sh", "-c",
                  "echo shared > /dev/shm/x; sleep 600")
    eventually(lambda: engine.docker("exec", name, "test", "-s", "/dev/shm/x",
                                     check=False).returncode == 0)
    assert engine.out("run", "--rm", "--ipc", f"container:{name}", "busybox", "cat",
                      "/dev/shm/x") == "shared"


def test_ipc_of_a_private_container_is_refused(engine, name):
    engine.docker("run", "-d", "--init", "--ipc", "private", "--name", name, "busybox", "sleep", "600")
    message = engine.fails("run", "--rm", "--ipc", f"container:{name}", "busybox", "true")
    assert "non-shareable IPC" in message


def test_network_of_the_host(engine):
    seen = engine.out("run", "--rm", "--network", "host", "busybox", "readlink", "/proc/self/ns/net")
    assert seen == os.readlink("/proc/self/ns/net")


def test_network_of_a_container(engine, sleeper):
    own = engine.out("exec", sleeper, "sh", "-c", "readlink /proc/self/ns/net; hostname; cat /etc/hosts")
    seen = engine.out("run", "--rm", "--network", f"container:{sleeper}", "busybox", "sh", "-c",
                      "readlink /proc/self/ns/net; hostname; cat /etc/hosts")
    assert seen == own


def test_network_of_a_stopped_container(engine, name):
    engine.docker("create", "--name", name, "busybox", "true")
    message = engine.fails("run", "--rm", "--network", f"container:{name}", "busybox", "true")
    assert "running" in message


@pytest.mark.parametrize("mode", ["pid", "ipc", "network"])
def test_namespace_of_an_unknown_container(engine, mode):
    message = engine.fails("run", "--rm", f"--{mode}", "container:nobody", "busybox", "true")
    assert "nobody" in message


def test_cgroup_namespace(engine):
    def namespace(mode):
        return engine.out("run", "--rm", "--cgroupns", mode, "busybox", "readlink",
                          "/proc/self/ns/cgroup")

    host = os.readlink("/proc/self/ns/cgroup")
    assert namespace("host") == host and namespace("private") != host


# Mounts


def test_bind(engine, tmp_path):
    (tmp_path / "in").write_text("from the host\n")
    seen = engine.out("run", "--rm", "-v", f"{tmp_path}:/data", "busybox", "sh", "-c",
                      "cat /data/in; echo back > /data/out")
    assert seen == "from the host"
    assert (tmp_path / "out").read_text() == "back\n"


def test_bind_read_only(engine, tmp_path):
    message = engine.fails("run", "--rm", "-v", f"{tmp_path}:/data:ro", "busybox", "touch", "/data/x")
    assert "Read-only file system" in message
    message = engine.fails("run", "--rm", "--mount", f"type=bind,src={tmp_path},dst=/data,readonly",
                           "busybox", "touch", "/data/x")
    assert "Read-only file system" in message


def test_bind_of_one_file(engine, tmp_path):
    (tmp_path / "file").write_text("x\n")
    assert engine.out("run", "--rm", "-v", f"{tmp_path}/file:/etc/made/up", "busybox", "cat",
                      "/etc/made/up") == "x"


def test_bind_makes_missing_folders_only_with_volume_syntax(engine, tmp_path):
    engine.docker("run", "--rm", "-v", f"{tmp_path}/new:/data", "busybox", "true")
    assert (tmp_path / "new").is_dir()
    message = engine.fails("run", "--rm", "--mount", f"type=bind,src={tmp_path}/no,dst=/data",
                           "busybox", "true")
    assert "bind source path does not exist" in message


@pytest.mark.newer_than_peer
def test_bind_create_mountpoint(engine, tmp_path):
    reply = engine.request("POST", "/v1.47/containers/create", {
        "Image": "busybox", "HostConfig": {"Mounts": [{
            "Type": "bind", "Source": f"{tmp_path}/made", "Target": "/data",
            "BindOptions": {"CreateMountpoint": True}}]}})
    assert reply.status == 201, reply
    engine.docker("start", reply.json()["Id"])
    assert (tmp_path / "made").is_dir()


@pytest.mark.parametrize("propagation, expected", [
    ("shared", "shared:"), ("slave", "master:"), ("private", "^(?!.*(shared:|master:))"),
    ("rshared", "shared:"), ("rslave", "master:"),
])
def test_bind_propagation(engine, tmp_path, propagation, expected):
    import subprocess

    folder = tmp_path / "shared"
    folder.mkdir()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "--make-shared", folder], check=True)
    try:
        seen = engine.out("run", "--rm", "--mount",
                          f"type=bind,src={folder},dst=/data,bind-propagation={propagation}",
                          "busybox", "grep", " /data ", "/proc/self/mountinfo")
    finally:
        subprocess.run(["umount", folder], check=True)
    assert re.search(expected, seen), seen


def test_mount_inspection(engine, name, tmp_path):
    engine.docker("create", "--name", name, "-v", f"{tmp_path}:/a:ro", "-v", f"{name}v:/b",
                  "--mount", "type=tmpfs,dst=/c,tmpfs-size=1048576,tmpfs-mode=700", "busybox", "true")
    mounts = {m["Destination"]: m for m in engine.inspect(name)["Mounts"]}
    assert mounts["/a"]["Type"] == "bind" and mounts["/a"]["Source"] == str(tmp_path)
    assert mounts["/a"]["RW"] is False and mounts["/a"]["Mode"] == "ro"
    assert mounts["/a"]["Propagation"] == "rprivate"
    assert mounts["/b"]["Type"] == "volume" and mounts["/b"]["Name"] == name + "v"
    assert mounts["/b"]["Driver"] == "local" and mounts["/b"]["RW"] is True
    assert mounts["/b"]["Source"].endswith(f"/{name}v/_data")
    assert mounts["/c"]["Type"] == "tmpfs"


def test_tmpfs_mount(engine):
    seen = engine.out("run", "--rm", "--mount", "type=tmpfs,dst=/c,tmpfs-size=1048576,tmpfs-mode=700",
                      "busybox", "sh", "-c", "grep ' /c ' /proc/mounts; stat -c %a /c")
    assert "size=1024k" in seen and seen.endswith("700")


def test_mounts_inside_mounts(engine, name, tmp_path):
    (tmp_path / "f").write_text("outer\n")
    seen = engine.out("run", "--rm", "-v", f"{name}:/a/b", "-v", f"{tmp_path}:/a", "busybox", "sh",
                      "-c", "cat /a/f; touch /a/b/inner; ls /a/b")
    assert seen == "outer\ninner"


def test_volumes_from(engine, name, tmp_path):
    engine.docker("create", "--name", name, "-v", f"{tmp_path}:/bind", "-v", "/anonymous", "busybox")
    source = {m["Destination"]: m.get("Name") for m in engine.inspect(name)["Mounts"]}
    other = engine.out("create", "--volumes-from", f"{name}:ro", "busybox", "true")
    mounts = {m["Destination"]: m for m in engine.inspect(other)["Mounts"]}
    assert mounts["/anonymous"]["Name"] == source["/anonymous"]
    assert mounts["/bind"]["RW"] is False


@pytest.mark.parametrize("arguments, hint", [
    (["-v", "relative/path:/data"], "volume name|invalid"),
    (["-v", "/a:/data", "-v", "/b:/data"], "Duplicate mount point"),
    (["-v", "/a:relative"], "mount path must be absolute|invalid mount path|absolute"),
    (["--memory", "1k"], "[Mm]inimum memory limit"),
    (["--memory", "16m", "--memory-swap", "8m"], "swap"),
    (["--cpus", "9999"], "CPUs|range of CPUs"),
    (["--cpuset-cpus", "7777"], "not available"),
    (["--ulimit", "nofile=10:5"], "hard limit|soft limit"),
    (["--cap-add", "NO_SUCH_CAP"], "capabilit"),
    (["--security-opt", "nonsense=1"], "nvalid|not supported"),
    (["--network", "container:x", "-p", "80:80"], "conflicting|Conflict"),
    (["--network", "container:x", "-h", "name"], "conflicting|Conflict"),
    (["--restart", "always", "--rm"], "[Cc]onflict"),
    (["--log-driver", "nonsense"], "nonsense"),
    (["--log-opt", "colour=red"], "colour"),
    (["--oom-score-adj", "5000"], "between|range"),
    (["--sysctl", "kernel.hostname=x"], "kernel.hostname|not allowed|separate"),
    (["--shm-size", "-1"], "size|SHM|invalid"),
    (["--device", "/dev/no-such-device"], "no-such-device"),
    (["--runtime", "no-such-runtime"], "no-such-runtime"),
    (["--mac-address", "zz:zz"], "not a valid mac|MAC|mac"),
    (["--workdir", "not/absolute"], "absolute"),
    (["--user", "no-such-user"], "no-such-user|find user"),
    (["--group-add", "no-such-group"], "no-such-group|find group"),
])
def test_refusals(engine, arguments, hint):
    message = engine.fails("run", "--rm", *arguments, "busybox", "true")
    assert re.search(hint, message), message
    assert "goroutine" not in message
    assert engine.get("/containers/json?all=1") == [] or "network" in str(arguments)


def test_custom_seccomp_profile(engine, tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
    message = engine.fails("run", "--rm", "--security-opt", f"seccomp={profile}", "busybox", "mkdir",
                           "/tmp/x")
    assert "not permitted" in message


def test_malformed_seccomp_profile(engine, tmp_path):
    reply = engine.request("POST", "/containers/create", {
        "Image": "busybox", "HostConfig": {"SecurityOpt": ["seccomp={broken"]}})
    assert reply.status in (201, 400)
    if reply.status == 201:  # dockerd notices at the start
        assert engine.request("POST", f"/containers/{reply.json()['Id']}/start").status >= 400


def test_unknown_restart_policy(engine):
    reply = engine.request("POST", "/containers/create", {
        "Image": "busybox", "HostConfig": {"RestartPolicy": {"Name": "sometimes"}}})
    assert reply.status == 400 and "sometimes" in reply.message


def test_capabilities_widen_the_seccomp_profile(engine):
    script = "unshare -m true && echo allowed"
    assert engine.docker("run", "--rm", "busybox", "sh", "-c", script, check=False).returncode != 0
    assert engine.out("run", "--rm", "--cap-add", "SYS_ADMIN", "busybox", "sh", "-c",
                      script) == "allowed"


def test_inspect_returns_what_was_set(engine, name):
    engine.docker("create", "--name", name, "-it", "--memory", "64m", "--cpus", "1.5", "--cap-add",
                  "NET_ADMIN", "--cap-drop", "MKNOD", "--dns", "10.9.8.7", "--read-only",
                  "--restart", "unless-stopped", "--ulimit", "nofile=10:20", "--shm-size", "1m",
                  "--log-opt", "max-size=1m", "--tmpfs", "/t:size=1m", "--sysctl",
                  "net.ipv4.ip_forward=1", "--stop-signal", "SIGINT", "--stop-timeout", "3",
                  "--add-host", "a:1.2.3.4", "--group-add", "8", "--pid", "host", "--init", "busybox")
    detail = engine.inspect(name)
    host, config = detail["HostConfig"], detail["Config"]
    assert host["Memory"] == 64 << 20 and host["MemorySwap"] == 128 << 20
    assert host["NanoCpus"] == 1_500_000_000
    assert [c.removeprefix("CAP_") for c in host["CapAdd"]] == ["NET_ADMIN"]
    assert [c.removeprefix("CAP_") for c in host["CapDrop"]] == ["MKNOD"]
    assert host["Dns"] == ["10.9.8.7"] and host["ReadonlyRootfs"] is True
    assert host["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert host["Ulimits"] == [{"Name": "nofile", "Hard": 20, "Soft": 10}]
    assert host["ShmSize"] == 1 << 20 and host["Tmpfs"] == {"/t": "size=1m"}
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}
    assert host["Sysctls"] == {"net.ipv4.ip_forward": "1"} and host["ExtraHosts"] == ["a:1.2.3.4"]
    assert host["GroupAdd"] == ["8"] and host["PidMode"] == "host" and host["Init"] is True
    assert config["Tty"] and config["OpenStdin"] and config["StdinOnce"]
    assert config["StopSignal"] == "SIGINT" and config["StopTimeout"] == 3
