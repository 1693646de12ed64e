import BlobStorage

extension RegistryService {
  /// The blob's file, where it is one on this machine: for engines that link it.
  package func localPath(of blob: StoredBlob) -> String? { storage.localPath(of: blob.key) }
}
