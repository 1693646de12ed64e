#define _GNU_SOURCE
#include "clinux_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

int martlet_capability_bounded(int number) {
  return prctl(PR_CAPBSET_READ, (unsigned long)number, 0, 0, 0);
}

int martlet_receive_packets(int socket, uint8_t *buffer, uint32_t stride, uint32_t count,
                            uint32_t *lengths) {
  enum { most = 64 };
  struct mmsghdr headers[most];
  struct iovec vectors[most];
  if (count > most)
    count = most;
  memset(headers, 0, sizeof headers[0] * count);
  for (uint32_t i = 0; i < count; i++) {
    vectors[i].iov_base = buffer + (size_t)i * stride;
    vectors[i].iov_len = stride;
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  int received;
  do {
    received = recvmmsg(socket, headers, count, MSG_DONTWAIT, NULL);
  } while (received < 0 && errno == EINTR);
  for (int i = 0; i < received; i++)
    lengths[i] = headers[i].msg_len;
  return received;
}

int martlet_connect_packets(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0)
    return -1;
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
  }
  return descriptor;
}

int martlet_inotify(void) { return inotify_init1(IN_CLOEXEC); }

const int martlet_open_path_only = O_PATH;

const void *martlet_last_byte(const void *bytes, int byte, size_t length) {
  return memrchr(bytes, byte, length);
}

void martlet_keep_memory_small(void) {
  mallopt(M_ARENA_MAX, 2);
  // Setting them ends their growth with the largest block that was ever freed.
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 256 << 10);
}
