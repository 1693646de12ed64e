import NIOHTTP1
import RegistryJobs
import Transport

/// Jobs, their schedules and the workers that run them; all for administrators.
enum JobOperations {
  private static let jobs = "/api/v0/jobs"
  private static let crons = "/api/v0/crons"
  private static let configurations = "/api/v0/action_configs"
  private static let noJob: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_JOB")
  private static let noCron: (HTTPResponseStatus, String) = (.notFound, "NO_SUCH_CRON")
  private static let noConfiguration: (HTTPResponseStatus, String) = (
    .notFound, "NO_SUCH_ACTION_CONFIG"
  )

  static let all: [RESTOperation] = jobOperations + cronOperations + workerOperations

  private static let jobOperations: [RESTOperation] = [
    RESTOperation(
      .GET, jobs,
      facts(
        "listJobs", "List jobs, newest first.",
        query: [
          .string("action", "Only this action; any unless given."),
          .string("worker", "Only this worker's; any unless given."),
          .string("running", "true or false; any unless given."),
          .number("start", "How many to leave out."),
          .number("limit", "How many to answer; 10 unless given."),
        ])
    ) { try await list($0) },
    RESTOperation(
      .POST, jobs, facts("createJob", "Put a job into the queue."), takes: JobForm.self,
      success: .accepted
    ) { request, form in
      .init(JobWire(try await request.automation.queue.submit(form.draft())))
    },
    RESTOperation(.GET, jobs + "/{id}", facts("getJob", "Show a job.", errors: [noJob])) {
      .init(JobWire(try await $0.automation.queue.job($0.path("id"))))
    },
    RESTOperation(
      .DELETE, jobs + "/{id}",
      facts(
        "deleteJob", "Delete a job that ended or waits.",
        errors: [noJob, (.conflict, "WRONG_JOB_STATUS")]), success: .noContent
    ) { request in
      try await request.automation.queue.delete(request.path("id"))
      return .init(Nothing())
    },
    RESTOperation(
      .POST, jobs + "/{id}/cancel",
      facts(
        "cancelJob", "Ask a job to stop.", errors: [noJob, (.conflict, "WRONG_JOB_STATUS")]),
      success: .noContent
    ) { request in
      try await request.automation.queue.cancel(request.path("id"))
      return .init(Nothing())
    },
    RESTOperation(
      .GET, jobs + "/{id}/logs",
      facts(
        "getJobLogs", "Show the lines of a job's log.",
        query: [
          .flag("stream", "Accepted; lines come at once."),
          .number("offset", "The first line wanted, counted from 0."),
          .number("limit", "How many lines to answer; 0 for all."),
        ], errors: [noJob])
    ) { request in
      let lines = try await request.automation.queue.log(
        request.path("id"), offset: request.number("offset", default: 0),
        limit: request.number("limit", default: 0))
      return .init(lines.map { JobLogLineWire(data: $0.text, lineNum: $0.number) })
    },
  ]

  private static let cronOperations: [RESTOperation] = [
    RESTOperation(.GET, crons, facts("listCrons", "List schedules.")) {
      .init(CronList(crons: try await $0.automation.queue.crons().map { CronWire($0) }))
    },
    RESTOperation(
      .POST, crons, facts("setCron", "Make or replace the schedule of an action."),
      takes: CronForm.self, success: .accepted
    ) { request, form in
      var job = JobForm(action: form.action)
      job.parameters = form.parameters
      job.retries = form.retries
      job.capacityMap = form.capacityMap
      job.deadline = form.deadline
      job.stopTimeout = form.stopTimeout
      let cron = try await request.automation.queue.setCron(job.draft(), schedule: form.schedule)
      return .init(CronWire(cron))
    },
    RESTOperation(
      .GET, crons + "/{action}",
      facts("getCron", "Show the schedule of an action.", errors: [noCron])
    ) { .init(CronWire(try await $0.automation.queue.cron($0.path("action")))) },
    RESTOperation(
      .DELETE, crons + "/{action}",
      facts("deleteCron", "Delete the schedule of an action.", errors: [noCron]),
      success: .noContent
    ) { request in
      try await request.automation.queue.deleteCron(request.path("action"))
      return .init(Nothing())
    },
  ]

  private static let workerOperations: [RESTOperation] = [
    RESTOperation(
      .GET, configurations,
      facts("listActionConfigs", "List the parameters that are set for actions.")
    ) { request in
      let found = try await request.automation.queue.actionConfigurations()
      return .init(
        ActionConfigurationList(
          actionConfigs: found.map {
            ActionConfiguration(action: $0.action, parameters: $0.parameters)
          }))
    },
    RESTOperation(
      .POST, configurations,
      facts("setActionConfig", "Set parameters for every job of an action."),
      takes: ActionConfiguration.self, success: .accepted
    ) { request, form in
      try await request.automation.queue.configure(form.action, form.parameters)
      return .init(form)
    },
    RESTOperation(
      .GET, configurations + "/{action}",
      facts("getActionConfig", "Show what is set for an action.", errors: [noConfiguration])
    ) { request in
      let action = request.path("action")
      return .init(
        ActionConfiguration(
          action: action,
          parameters: try await request.automation.queue.actionConfiguration(action)))
    },
    RESTOperation(
      .DELETE, configurations + "/{action}",
      facts("deleteActionConfig", "Forget what is set for an action.", errors: [noConfiguration]),
      success: .noContent
    ) { request in
      try await request.automation.queue.deleteActionConfiguration(request.path("action"))
      return .init(Nothing())
    },
    RESTOperation(.GET, "/api/v0/workers", facts("listWorkers", "List the workers.")) {
      .init(
        WorkerList(
          workers: try await $0.automation.queue.workers().map {
            WorkerWire(
              id: $0.id, status: "running", capacityMap: $0.capacityMap,
              heartbeatExpiration: $0.heartbeatExpiration)
          }))
    },
    RESTOperation(
      .POST, "/api/v0/workers/{id}/capacity",
      facts(
        "setWorkerCapacity", "Set how many jobs of each action a worker runs at once.",
        errors: [(.notFound, "NO_SUCH_WORKER")]), takes: CapacityForm.self, success: .accepted
    ) { request, form in
      try await request.automation.queue.setCapacity(
        form.capacityMap, ofWorker: request.path("id"))
      return .init(form)
    },
  ]

  private static func facts(
    _ id: String, _ summary: String, query: [RESTParameter] = [],
    errors: [(HTTPResponseStatus, String)] = []
  ) -> RESTOperation.Facts {
    .init(id, "jobs", summary, access: .administrator, query: query, errors: errors)
  }

  private static func list(_ request: RESTRequest) async throws -> RESTAnswer<JobList> {
    func filter(_ name: String) -> String? {
      request.query[name].flatMap { $0.isEmpty || $0 == "any" ? nil : $0 }
    }
    var wanted = JobFilter()
    wanted.action = filter("action")
    wanted.worker = filter("worker")
    if filter("running") != nil { wanted.isRunning = try request.flag("running") }
    let jobs = try await request.automation.queue.jobs(
      wanted, offset: try request.number("start", default: 0),
      limit: min(try request.number("limit", default: 10), 10_000))
    return .init(JobList(jobs: jobs.map { JobWire($0) }))
  }
}
