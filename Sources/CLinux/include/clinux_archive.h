#pragma once

/// syncfs(2): waits until the file system of an open file is on the disk.
int martlet_syncfs(int descriptor);
