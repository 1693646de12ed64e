/// Everything the door answers with, one part for each family of paths.
package struct Backends: Sendable {
  package var containers: any ContainerBackend
  package var execs: any ExecBackend
  package var images: any ImageBackend
  package var networks: any NetworkBackend
  package var volumes: any VolumeBackend
  package var system: any SystemBackend

  package init(
    containers: any ContainerBackend, execs: any ExecBackend, images: any ImageBackend,
    networks: any NetworkBackend, volumes: any VolumeBackend, system: any SystemBackend
  ) {
    self.containers = containers
    self.execs = execs
    self.images = images
    self.networks = networks
    self.volumes = volumes
    self.system = system
  }
}
