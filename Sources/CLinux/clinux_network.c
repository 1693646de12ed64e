#include "clinux_network.h"

#include <fcntl.h>

int martlet_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }
