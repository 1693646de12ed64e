import CLinux

/// How this process's malloc(3) holds memory.
package enum MemoryAllocator {
  /// Lets it give back what a burst of work took. By default every thread may come to have an arena
  /// of its own, and blocks of any size stay in them once large ones were freed. Call it first.
  package static func keepSmall() {
    martlet_keep_memory_small()
  }
}
