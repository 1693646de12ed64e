#pragma once

// What the container runtime needs of Linux: terminals, packets, capabilities.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Whether capability `number` is in this process's bounding set: 1, 0, or -1 when it does not exist.
int martlet_capability_bounded(int number);

/// One batch of recvmmsg(2) from a SOCK_SEQPACKET socket, without waiting: message `i` is read to
/// `buffer + i * stride` and its length put in `lengths[i]`. Returns the number of messages, 0 at
/// the end of the stream, or -1 with errno set. A message of length 0 is the end of the stream.
int martlet_receive_packets(int socket, uint8_t *buffer, uint32_t stride, uint32_t count,
                            uint32_t *lengths);

/// Connects to the SOCK_SEQPACKET socket at `path`; returns a non-blocking, close-on-exec
/// descriptor or -1 with errno set.
int martlet_connect_packets(const char *path);

/// inotify_init1(2), close-on-exec; blocking reads. Returns -1 with errno set.
int martlet_inotify(void);

/// O_PATH of open(2), which is hidden from plain POSIX programs.
extern const int martlet_open_path_only;

/// memrchr(3): the last place of `byte` in `length` bytes, or NULL.
const void *martlet_last_byte(const void *bytes, int byte, size_t length);

/// Has malloc(3) give back what a burst of work took: two arenas, and bounds that do not grow.
void martlet_keep_memory_small(void);
