/// Copies in and out of a container's root file system as tar archives (`docker cp`). Every path is
/// resolved by the kernel inside the root, so that links made in the container lead nowhere else.
/// Errors are ``ArchiveError`` and `SystemError` (`ENOENT`, `ENOTDIR`, …).
package enum RootedCopy {
}
