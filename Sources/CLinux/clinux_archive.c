#define _GNU_SOURCE
#include "clinux_archive.h"

#include <unistd.h>

int martlet_syncfs(int descriptor) { return syncfs(descriptor); }
