package import FoundationEssentials
package import OCI

/// One image as the store knows it.
package struct ImageRecord: Sendable, Hashable {
  /// The digest of the configuration.
  package var id: Digest
  /// Names with tags as docker shows them, `busybox:latest`, sorted.
  package var repoTags: [String]
  /// Names with manifest digests as docker shows them, `busybox@sha256:…`, sorted.
  package var repoDigests: [String]
  package var configuration: ImageConfiguration
  /// The configuration's bytes, exactly as received.
  package var configurationBytes: [UInt8]
  /// When the image was made; nil if its configuration does not say.
  package var created: Date?
  /// Bytes of all layers unpacked.
  package var size: Int64
  /// Bytes of those layers that other images have too.
  package var sharedSize: Int64
  /// Layers by the digests of their uncompressed archives, lowest first.
  package var layers: [Digest]
  /// When a tag was last put on the image here; nil if never.
  package var lastTagTime: Date?
  /// The manifest as received or last pushed; nil for an image that was only made here.
  package var manifest: ContentDescriptor?
  /// The image this one was committed or built from here, if it is known.
  package var parent: Digest?

  package var architecture: String { configuration.architecture ?? "" }
  package var os: String { configuration.os ?? "" }

  /// Whether no tag names the image.
  package var isDangling: Bool { repoTags.isEmpty }
}

/// One line of an image's history, newest first in a list.
package struct ImageHistoryItem: Sendable, Hashable {
  /// The image's id for the newest line, else nil (docker shows `<missing>`).
  package var id: Digest?
  package var created: Date?
  package var createdBy: String
  package var comment: String
  /// Bytes that the step added.
  package var size: Int64
  /// Tags of the image, on the newest line only.
  package var tags: [String]
}

/// What came of a removal, in the order of docker's answer.
package enum ImageRemoval: Sendable, Hashable {
  /// A name (with tag or digest) that was taken off.
  case untagged(String)
  /// An image (by `sha256:…`) or layer that is gone.
  case deleted(String)
}

/// A container as far as removing its image is concerned.
package struct ImageUse: Sendable, Hashable {
  package var containerID: String
  package var isRunning: Bool

  package init(containerID: String, isRunning: Bool) {
    self.containerID = containerID
    self.isRunning = isRunning
  }
}

/// Disk used by images.
package struct ImageUsage: Sendable, Hashable {
  /// Bytes of all unpacked layers, shared ones counted once.
  package var layersSize: Int64
  /// Bytes of all blobs as received.
  package var blobsSize: Int64
  package var images: [ImageRecord]
}

/// What `recover()` found and did.
package struct ImageRecoveryReport: Sendable, Hashable {
  /// Keys of the state store or folders that could not be read and were set aside.
  package var setAside: [String] = []
  /// Half-written folders that were removed.
  package var removed: [String] = []
  /// Containers (ids) whose root file system is mounted.
  package var mountedContainers: [String] = []

  package init() {}
}

/// A step of a pull, push or load, in the words of docker's progress stream.
package struct TransferProgress: Sendable, Hashable {
  /// The short id of the layer, or the tag for lines about the whole; nil for lines without one.
  package var id: String?
  /// "Downloading", "Pull complete" and the like.
  package var status: String
  /// Bytes done; nil for steps that are not measured.
  package var current: Int64?
  package var total: Int64?
  /// Set once per tag at the end of a push.
  package var pushed: Pushed?
  /// Text for load's `stream` messages, with its newline; `status` is then empty.
  package var stream: String?

  /// The outcome of pushing one tag.
  package struct Pushed: Sendable, Hashable {
    package var tag: String
    package var digest: Digest
    /// Bytes of the manifest.
    package var size: Int64
  }

  package init(
    id: String? = nil, status: String, current: Int64? = nil, total: Int64? = nil,
    pushed: Pushed? = nil, stream: String? = nil
  ) {
    self.id = id
    self.status = status
    self.current = current
    self.total = total
    self.pushed = pushed
    self.stream = stream
  }
}

/// Takes the steps of a transfer, on any thread; it must not block.
package typealias ProgressHandler = @Sendable (TransferProgress) -> Void

/// Who a client is to a registry (`X-Registry-Auth`).
package struct RegistryCredentials: Sendable, Hashable {
  package var username: String
  package var password: String
  /// A refresh token from an earlier login, used instead of the password.
  package var identityToken: String?
  /// A bearer token to send as it is.
  package var registryToken: String?

  package init(
    username: String = "", password: String = "", identityToken: String? = nil,
    registryToken: String? = nil
  ) {
    self.username = username
    self.password = password
    self.identityToken = identityToken
    self.registryToken = registryToken
  }

  /// Whether it says nothing.
  package var isEmpty: Bool {
    username.isEmpty && (identityToken ?? "").isEmpty && (registryToken ?? "").isEmpty
  }
}

/// What `login` learned.
package struct LoginResult: Sendable, Hashable {
  /// A refresh token to keep instead of the password; nil if the registry gives none.
  package var identityToken: String?
}

/// What a registry has under a name (`/distribution/NAME/json`).
package struct DistributionInspection: Sendable, Hashable {
  package var descriptor: ContentDescriptor
  package var platforms: [Platform]
}
