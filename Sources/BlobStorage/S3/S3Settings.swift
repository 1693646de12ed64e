/// How a bucket of an S3 service is reached, and how it is used.
package struct S3Settings: Sendable, Equatable {
  /// The smallest part of a multipart upload that S3 takes (except for the last one), in bytes.
  package static let smallestChunk = 5 << 20
  /// The largest part of a multipart upload that S3 takes, in bytes.
  package static let largestChunk = 5 << 30

  /// Nil, together with ``secretKey``, for what the environment variables `AWS_ACCESS_KEY_ID`,
  /// `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` say.
  package var accessKey: String?
  package var secretKey: String?
  /// Goes with temporary keys; nil for lasting ones.
  package var sessionToken: String?
  /// The region that requests are signed for, such as `eu-central-1`.
  package var region: String
  /// The service's URL, or its host with or without a port; nil for Amazon's of the region.
  package var regionEndpoint: String?
  package var bucket: String
  /// What the names of all objects begin with; slashes around it mean nothing.
  package var rootDirectory = ""
  /// Whether TLS is spoken, where ``regionEndpoint`` has no scheme that says so.
  package var secure = true
  /// Whether the service's certificate is believed unseen.
  package var skipVerify = false
  /// Whether the bucket is named in the path instead of in the host's name. So it is too for hosts
  /// that are addresses, and for buckets with dots over TLS, which no certificate would name.
  package var forcePathStyle = false
  /// Bytes of a part of an upload, at least ``smallestChunk``. An upload holds up to two of them in
  /// memory, and has at most 10,000.
  package var chunkSize = 10 << 20
  /// Whether the service is asked to encrypt what it stores.
  package var encrypt = false
  /// The key of the service's key management that it encrypts with; nil for a key of S3's own.
  package var keyID: String?
  /// The storage class of stored files; `STANDARD` and `NONE` ask for nothing.
  package var storageClass = "STANDARD"
  /// Whether clients are sent to the service for what they read.
  package var redirects = true
  /// For how many seconds a URL that clients are sent to is good, 1 to 604,800.
  package var presignLifetime = 1200
  /// How long the service may take for its next sign of life within one request.
  package var requestTimeout: Duration = .seconds(30)
  /// For how long since it was begun a request that fails is tried again.
  package var retryPatience: Duration = .seconds(45)
  /// About how long is waited before it is tried the second time; each time twice as long.
  package var retryPause: Duration = .milliseconds(100)
  /// Requests to the service at once; more wait for one to end.
  package var connections = 128

  /// Settings for a bucket of this region, everything else as said above.
  package init(bucket: String, region: String) {
    self.bucket = bucket
    self.region = region
  }
}
