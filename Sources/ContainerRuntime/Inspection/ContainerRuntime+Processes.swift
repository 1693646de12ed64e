import FoundationEssentials
import Host
import OCI

extension ContainerRuntime {
  /// The processes of a container, as the host numbers them.
  /// - Throws: `ContainerRuntimeError.notFound` or `.wrongState`.
  package func processes(_ id: String) async throws -> [Int32] {
    let container = try liveContainer(id)
    return try await BlockingPool.shared.run { container.cgroup.processes() }
  }

  /// The rows of the host's `ps`, run with `psArguments` (`-ef` when empty), that belong to a
  /// container.
  /// - Throws: `ContainerRuntimeError`: `.notFound`, `.wrongState`, or `.invalidSetting` when `ps`
  ///   does not take the arguments or prints no `PID` column.
  package func top(_ id: String, psArguments: [String]) async throws -> ProcessTable {
    let arguments = psArguments.isEmpty ? ["-ef"] : psArguments
    try SpecificationBuilder.checkText(arguments)
    for argument in arguments where argument.contains("pid=") {
      throw ContainerRuntimeError(
        .invalidSetting, "specifying \"\(argument)\" is not allowed")
    }
    let processes = try await processes(id)
    let list = processes.map { String($0) }.joined(separator: ",")
    // Asking for these processes alone is faster, but does not go with all arguments.
    if !list.isEmpty,
      let text = try? await Self.runPS(arguments + ["-q", list]),
      let table = try? Self.table(text, of: processes), !table.processes.isEmpty  // see above
    {
      return table
    }
    return try Self.table(try await Self.runPS(arguments), of: processes)
  }

  private static func runPS(_ arguments: [String]) async throws -> String {
    let command = Command(
      "/bin/ps", arguments,
      environment: ["PATH": "/usr/bin:/bin", "COLUMNS": "4096", "LC_ALL": "C.UTF-8"])
    let result = try await command.run(timeout: .seconds(30))
    guard result.status.isSuccess else {
      let words = String(decoding: result.errorOutput.prefix(1000), as: UTF8.self)
      throw ContainerRuntimeError(
        .invalidSetting, "error running ps", metadata: ["output": words])
    }
    return String(decoding: result.output, as: UTF8.self)
  }

  /// The rows of `text` whose `PID` is among `processes`. The last column may hold spaces.
  static func table(_ text: String, of processes: [Int32]) throws -> ProcessTable {
    let lines = text.split(separator: "\n")
    let titles = lines.first?.split(separator: " ").map(String.init) ?? []
    guard let column = titles.firstIndex(of: "PID") else {
      throw ContainerRuntimeError(.invalidSetting, "Couldn't find PID field in ps output")
    }
    let wanted = Set(processes)
    var rows: [[String]] = []
    for line in lines.dropFirst() {
      let fields = line.split(
        separator: " ", maxSplits: max(0, titles.count - 1), omittingEmptySubsequences: true)
      // A row without a process of its own (`ps m`) belongs to the one before.
      guard fields.count > column else { continue }
      let isThread = fields[column] == "-"
      guard isThread ? !rows.isEmpty : Int32(fields[column]).map(wanted.contains) == true else {
        continue
      }
      rows.append(
        fields.map { field in
          String(field.drop { $0 == " " })
        })
    }
    return ProcessTable(titles: titles, processes: rows)
  }

  /// Changes the limits of a container. What is nil is left alone.
  /// - Throws: `ContainerRuntimeError`: `.notFound`, `.wrongState`, `.invalidSetting`, or
  ///   `.runtimeFailed` with the OCI runtime's words.
  package func update(_ id: String, _ resources: ResourceSettings) async throws {
    let container = try liveContainer(id)
    let logger = logger
    try await BlockingPool.shared.run {
      let limits = try ResourceBuilder(settings: resources, logger: logger).build()
      let input = try JSONEncoder().encode(limits)
      try self.runRuntime(
        ["update", "--resources", "-", container.id], input: Array(input))
    }
  }
}
