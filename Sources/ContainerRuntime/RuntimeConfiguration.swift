package import Logging

/// Where the runtime finds its programs and keeps its state.
package struct RuntimeConfiguration: Sendable {
  /// Absolute path of `runc` (1.1 or later).
  package var runtimePath: String
  /// Absolute path of `conmon` (2.1 or later).
  package var monitorPath: String
  /// Absolute path of a static `tini`, run as process 1 of containers that ask for an init.
  package var initPath: String
  /// Folder of everything that need not outlive a reboot: bundles, the runtime's state, sockets and
  /// exit files. Should be on tmpfs. Two daemons must not share one.
  package var execRoot: String
  /// Parent of containers' cgroups where a container names none, e.g. `/martlet`.
  package var cgroupParent: String
  /// How long a slow reader of an attached container may hold up the container's output while
  /// other readers wait, before it is cut off. A reader that is alone may hold it up for ever.
  package var slowReaderPatience: Duration = .seconds(30)
  /// Where the runtime reports what it cannot return.
  package var logger: Logger

  /// A configuration with Debian's paths for what is left out.
  package init(
    runtimePath: String = "/usr/sbin/runc", monitorPath: String = "/usr/bin/conmon",
    initPath: String = "/usr/bin/tini-static", execRoot: String, cgroupParent: String = "/martlet",
    logger: Logger
  ) {
    self.runtimePath = runtimePath
    self.monitorPath = monitorPath
    self.initPath = initPath
    self.execRoot = execRoot
    self.cgroupParent = cgroupParent
    self.logger = logger
  }
}
