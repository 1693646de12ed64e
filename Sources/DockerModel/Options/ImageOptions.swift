/// Parameters of `GET /images/json`.
package struct ImageListOptions: Sendable, Equatable {
  /// Intermediate images, too.
  package var all = false
  /// Whether to compute `SharedSize`.
  package var sharedSize = false
  package var digests = false
  package var manifests = false
  package var filters = Filters()
  package init() {}
}

/// Parameters of `POST /images/create?fromImage=`.
package struct ImagePullOptions: Sendable {
  /// The name as the client gave it, perhaps with a tag or digest inside.
  package var fromImage = ""
  /// Tag or digest; empty with no tag in the name means all tags.
  package var tag = ""
  /// `os[/arch[/variant]]`, as the client gave it.
  package var platform: String?
  package var authentication: AuthConfig?
  package init() {}
}

/// Parameters of `POST /images/create?fromSrc=`.
package struct ImageImportOptions: Sendable, Equatable {
  /// `-` for the request's body, else a URL.
  package var source = "-"
  package var repository = ""
  package var tag = ""
  package var message = ""
  package var platform: String?
  /// Dockerfile instructions to apply to the configuration, one each.
  package var changes: [String] = []
  package init() {}
}

/// Parameters of `POST /images/{name}/push`.
package struct ImagePushOptions: Sendable {
  /// Empty means all tags of the repository.
  package var tag = ""
  /// JSON of an OCI platform, or `os/arch`, as the client gave it.
  package var platform: String?
  package var authentication: AuthConfig?
  package init() {}
}

/// Parameters of `DELETE /images/{name}`.
package struct ImageRemoveOptions: Sendable, Equatable {
  package var force = false
  /// Keep untagged parents.
  package var noPrune = false
  package init() {}
}

/// Parameters of `GET /images/search`.
package struct ImageSearchOptions: Sendable {
  package var term = ""
  package var limit: Int?
  package var filters = Filters()
  package var authentication: AuthConfig?
  package init() {}
}

/// One hit of `GET /images/search`.
package struct ImageSearchResult: Sendable, Equatable, Codable {
  package var description: String
  package var isOfficial: Bool
  package var isAutomated: Bool
  package var name: String
  package var starCount: Int

  package init(name: String, description: String, isOfficial: Bool, starCount: Int) {
    self.name = name
    self.description = description
    self.isOfficial = isOfficial
    self.isAutomated = false
    self.starCount = starCount
  }

  private enum CodingKeys: String, CodingKey {
    case description, name
    case isOfficial = "is_official"
    case isAutomated = "is_automated"
    case starCount = "star_count"
  }
}
