import Identity

/// Tells one endpoint one thing. Parameters: `webhook`, `type`, `message` (the document) and
/// `delivery`, which is the same however often it is tried.
struct WebhookJob: JobKind {
  let action = "webhook"
  let concurrency = 16
  let retries = 8
  let webhooks: WebhookService
  let sender: WebhookSender

  func run(_ job: RunningJob) async throws -> String? {
    let id = try job.required("webhook")
    let record: WebhookRecord
    do {
      record = try await webhooks.record(id).record
    } catch let error as JobError where error.code == .noSuchWebhook {
      return "the webhook is gone"
    }
    guard !record.inactive else { return "the webhook is switched off" }
    guard let type = WebhookType(rawValue: try job.required("type")) else {
      throw JobError.invalid("type", "there is no such type of webhook")
    }
    let now = Timestamp.now()
    let answer = try await sender.send(
      Array(try job.required("message").utf8), id: job.parameters["delivery"] ?? job.id,
      to: record.endpoint, secret: try webhooks.secret(record), certificate: record.certificate,
      skipsVerification: record.skipsVerification, at: now)
    try await webhooks.report(
      DeliveryRecord(
        job: job.id, type: type, at: now.milliseconds, status: answer.status, error: answer.error,
        took: answer.milliseconds, success: answer.isSuccess), of: id)
    guard answer.isSuccess else {
      await job.log("\(record.endpoint): \(answer.error ?? "no answer")")
      throw JobError(
        .failed, "the endpoint did not take the message",
        metadata: ["error": answer.error ?? "no answer"])
    }
    return "\(record.endpoint) answered \(answer.status ?? 0)"
  }
}
