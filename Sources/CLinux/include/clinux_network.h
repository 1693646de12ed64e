#pragma once

/// fcntl(F_DUPFD_CLOEXEC), which is variadic. Returns -1 with errno set.
int martlet_duplicate(int descriptor);
