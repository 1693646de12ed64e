package import DockerModel

/// What the door needs of images. Names are what the client gave: a reference or an id, whole or
/// its beginning, with or without `sha256:`.
package protocol ImageBackend: Sendable {
  func list(_ options: ImageListOptions) async throws -> [ImageSummary]

  func inspect(image: String) async throws -> ImageInspect

  func history(image: String) async throws -> [ImageHistoryResponseItem]

  /// Pulls, telling progress. An error thrown before the first report is answered with its status;
  /// one thrown later is told in the stream.
  func pull(_ options: ImagePullOptions, progress: @escaping ProgressReporter) async throws

  /// Makes an image from a root file system's archive; `body` is the request's body.
  func importImage(
    _ options: ImageImportOptions, body: ByteStream, progress: @escaping ProgressReporter
  ) async throws

  /// Pushes, telling progress; errors as for ``pull(_:progress:)``.
  func push(
    image: String, options: ImagePushOptions, progress: @escaping ProgressReporter) async throws

  func tag(image: String, repository: String, tag: String) async throws

  func remove(image: String, options: ImageRemoveOptions) async throws -> [ImageDeleteResponseItem]

  func search(_ options: ImageSearchOptions) async throws -> [ImageSearchResult]

  /// Removes unused images that match.
  func prune(_ filters: Filters) async throws -> ImagePruneResponse

  /// Sends the images as one archive in Docker's format.
  func save(images: [String], sink: any ByteSink) async throws

  /// Reads images from an archive (plain or compressed). `quiet` leaves out the progress bars.
  func load(_ archive: ByteStream, quiet: Bool, progress: @escaping ProgressReporter) async throws

  /// What a registry says of an image.
  func distribution(
    image: String, authentication: AuthConfig?
  ) async throws -> DistributionInspect
}
