package import ContainerRuntime
import DockerModel
import Host
package import ImageStore
package import Logging
package import NodeNetwork
package import StateStore
import Synchronization

/// The engine of one node: containers, images, networks and volumes, and what happens to them.
package final class Engine: Sendable {
  let context: EngineContext
  let supervisor: ContainerSupervisor
  /// Ids of containers whose records cannot be read: what belongs to them is left alone.
  let unreadable = Mutex<Set<String>>([])

  /// Containers, as the API sees them.
  package let containers: ContainerService
  /// Commands in containers, as the API sees them.
  package let execs: ExecService
  /// Images, as the API sees them.
  package let images: ImageService
  /// Networks, as the API sees them.
  package let networks: NetworkService
  /// Volumes, as the API sees them.
  package let volumes: VolumeService
  /// The engine as a whole, as the API sees it.
  package let system: SystemService

  /// Joins the parts; `recover` brings them to life.
  package init(
    configuration: EngineConfiguration, store: any StateStore, images: ImageStore,
    runtime: ContainerRuntime, network: NodeNetwork, logger: Logger
  ) {
    context = EngineContext(
      configuration: configuration, store: store, images: images, runtime: runtime,
      network: network, logger: logger)
    supervisor = ContainerSupervisor(context)
    containers = ContainerService(context, supervisor)
    execs = ExecService(context)
    self.images = ImageService(context)
    networks = NetworkService(context, supervisor.launcher)
    volumes = VolumeService(context)
    system = SystemService(context, containers, self.images, volumes)
  }

  /// Takes over what a reload may change.
  package func reconfigure(_ configuration: EngineConfiguration) {
    context.reconfigure(configuration)
    context.events.publish("daemon", "reload", id: configuration.id, ["name": HostFacts.hostname])
  }

  /// Handles the ends of containers and commands until the task is cancelled. Run it before anything
  /// starts a container.
  package func run() async {
    let supervisor = supervisor
    let execs = execs
    let runtime = context.runtime
    await withDiscardingTaskGroup { group in
      group.addTask { await self.sweepLatecomers() }
      await withDiscardingTaskGroup { reports in
        reports.addTask {
          await withDiscardingTaskGroup { exits in
            for await exit in runtime.exits {
              exits.addTask { await supervisor.handle(exit) }
            }
          }
        }
        reports.addTask {
          for await exit in runtime.execExits { execs.finish(exit) }
        }
      }
      // The runtime reports no more: the daemon ends, and nobody need look for latecomers.
      group.cancelAll()
    }
  }
}
