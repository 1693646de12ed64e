#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

const uint64_t martlet_resolve_in_root = RESOLVE_IN_ROOT;
const uint64_t martlet_resolve_beneath = RESOLVE_BENEATH;
const uint64_t martlet_resolve_no_symlinks = RESOLVE_NO_SYMLINKS;
const uint64_t martlet_resolve_no_magiclinks = RESOLVE_NO_MAGICLINKS;
const uint64_t martlet_resolve_no_xdev = RESOLVE_NO_XDEV;

int martlet_openat2(int directory, const char *path, uint64_t flags, uint64_t mode,
                    uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  int attempts = 0;
  int result;
  // The kernel answers EAGAIN when a rename raced with a resolution that must not escape.
  do {
    result = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
  } while (result < 0 && (errno == EINTR || (errno == EAGAIN && ++attempts < 128)));
  return result;
}

int martlet_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int martlet_pidfd_send_signal(int descriptor, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0);
}

int martlet_wait_pidfd(int descriptor, int *status) {
  siginfo_t information;
  memset(&information, 0, sizeof information);
  int result;
  do {
    result = waitid((idtype_t)3 /* P_PIDFD */, (id_t)descriptor, &information,
                    WEXITED | WNOHANG);
  } while (result < 0 && errno == EINTR);
  if (result < 0) return -1;
  if (information.si_pid == 0) return 0;
  if (information.si_code == CLD_EXITED) {
    *status = (information.si_status & 0xff) << 8;
  } else {
    *status = information.si_status & 0x7f;
  }
  return 1;
}

int martlet_unshare_filesystem(void) { return unshare(CLONE_FS); }

int martlet_unshare_network(void) { return unshare(CLONE_NEWNET); }

int martlet_unshare_mounts(void) { return unshare(CLONE_NEWNS); }

int martlet_rename_without_replacing(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int martlet_clone_file(int destination, int source) {
  return ioctl(destination, FICLONE, source);
}

int martlet_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

uint32_t martlet_major(uint64_t device) { return major(device); }
uint32_t martlet_minor(uint64_t device) { return minor(device); }
uint64_t martlet_makedev(uint32_t major_, uint32_t minor_) { return makedev(major_, minor_); }

const int martlet_clone_newnet = CLONE_NEWNET;
const int martlet_clone_newns = CLONE_NEWNS;
const int martlet_spawn_setsid = POSIX_SPAWN_SETSID;

int martlet_setns(int descriptor, int kind) { return setns(descriptor, kind); }

int martlet_spawn_change_directory(posix_spawn_file_actions_t *actions, const char *path) {
  return posix_spawn_file_actions_addchdir_np(actions, path);
}

void martlet_error_text(int number, char *buffer, size_t size) {
  char scratch[256];
  snprintf(buffer, size, "%s", strerror_r(number, scratch, sizeof scratch));
}

int martlet_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int martlet_begin_writeback(int descriptor, int64_t offset, int64_t length) {
  return sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}
