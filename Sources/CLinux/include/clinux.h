#pragma once

// System calls and declarations that Swift's importer cannot express: variadic calls, macros with
// function shape, and calls that glibc 2.36 does not wrap.

#include <stdint.h>
#include <sys/types.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clinux_netlink.h"

/// openat2(2). Returns a descriptor or -1 with errno set.
int martlet_openat2(int directory, const char *path, uint64_t flags, uint64_t mode,
                    uint64_t resolve);

/// pidfd_open(2) with close-on-exec, which the kernel always sets. Returns -1 with errno set.
int martlet_pidfd_open(pid_t pid);

/// pidfd_send_signal(2).
int martlet_pidfd_send_signal(int descriptor, int signal);

/// waitid(P_PIDFD) for an exited child; fills the wait status in the encoding of waitpid(2).
/// Returns 1 if a child was reaped, 0 if it still runs, -1 with errno set.
int martlet_wait_pidfd(int descriptor, int *status);

/// Calls unshare(CLONE_FS) so that the calling thread has a working directory of its own.
int martlet_unshare_filesystem(void);

/// A new network namespace for the calling thread.
int martlet_unshare_network(void);

/// A new mount namespace for the calling thread (its file system attributes are unshared too).
int martlet_unshare_mounts(void);

/// renameat2(2) with RENAME_NOREPLACE.
int martlet_rename_without_replacing(const char *from, const char *to);

/// ioctl(FICLONE): shares the extents of `source` with `destination`.
int martlet_clone_file(int destination, int source);

/// The resolve flags of openat2(2).
extern const uint64_t martlet_resolve_in_root;
extern const uint64_t martlet_resolve_beneath;
extern const uint64_t martlet_resolve_no_symlinks;
extern const uint64_t martlet_resolve_no_magiclinks;
extern const uint64_t martlet_resolve_no_xdev;

/// posix_spawn_file_actions_addclosefrom_np where glibc has it.
int martlet_spawn_close_from(posix_spawn_file_actions_t *actions, int first);

/// major(3), minor(3), makedev(3), which are macros.
uint32_t martlet_major(uint64_t device);
uint32_t martlet_minor(uint64_t device);
uint64_t martlet_makedev(uint32_t major, uint32_t minor);

/// setns(2) into a network namespace, a mount namespace, or whatever `kind` of `CLONE_NEW…` says.
int martlet_setns(int descriptor, int kind);
extern const int martlet_clone_newnet;
extern const int martlet_clone_newns;

/// posix_spawn_file_actions_addchdir_np.
int martlet_spawn_change_directory(posix_spawn_file_actions_t *actions, const char *path);

/// POSIX_SPAWN_SETSID.
extern const int martlet_spawn_setsid;

/// The kernel's text for an error number; always terminated.
void martlet_error_text(int number, char *buffer, size_t size);

/// pipe2(2) with close-on-exec.
int martlet_pipe(int ends[2]);

/// sync_file_range(2): begins to write a part of a file to its disk and does not wait for it.
int martlet_begin_writeback(int descriptor, int64_t offset, int64_t length);
#include "clinux_runtime.h"
#include "clinux_archive.h"
