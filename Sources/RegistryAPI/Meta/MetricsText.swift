import NIOCore
import Transport

/// The server's counters as text.
enum MetricsText {
  /// What nginx's stub_status module would say of itself; scripts read it by its words.
  static func stubStatus(_ counts: ServerStatistics.Snapshot) -> String {
    """
    Active connections: \(counts.active) 
    server accepts handled requests
     \(counts.accepted) \(counts.accepted) \(counts.requests) 
    Reading: \(counts.reading) Writing: \(counts.writing) Waiting: \(counts.waiting) 

    """
  }

  /// The text format 0.0.4 of Prometheus.
  static func prometheus(_ counts: ServerStatistics.Snapshot) -> String {
    """
    # HELP martlet_http_connections_accepted_total Connections accepted.
    # TYPE martlet_http_connections_accepted_total counter
    martlet_http_connections_accepted_total \(counts.accepted)
    # HELP martlet_http_requests_total Requests whose head has arrived.
    # TYPE martlet_http_requests_total counter
    martlet_http_requests_total \(counts.requests)
    # HELP martlet_http_connections Open connections by what they do.
    # TYPE martlet_http_connections gauge
    martlet_http_connections{state="reading"} \(counts.reading)
    martlet_http_connections{state="writing"} \(counts.writing)
    martlet_http_connections{state="waiting"} \(counts.waiting)

    """
  }
}
