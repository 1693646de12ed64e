import DockerAPI
import Engine

// The engine does what the door asks for under the same names: joining them takes no code.
extension ContainerService: ContainerBackend {}
extension ExecService: ExecBackend {}
extension ImageService: ImageBackend {}
extension NetworkService: NetworkBackend {}
extension VolumeService: VolumeBackend {}
extension SystemService: SystemBackend {}

extension Backends {
  /// The door's view of one engine.
  init(_ engine: Engine) {
    self.init(
      containers: engine.containers, execs: engine.execs, images: engine.images,
      networks: engine.networks, volumes: engine.volumes, system: engine.system)
  }
}
