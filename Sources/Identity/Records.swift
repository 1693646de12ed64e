import FoundationEssentials
import StateStore

/// An account as it lies in the store; the id is in the key.
struct AccountRecord: Codable, Hashable {
  var name: AccountName
  var kind: Account.Kind
  var fullName: String
  var isActive: Bool
  var isAdmin: Bool
  var createdAt: Timestamp

  func account(_ id: AccountID, revision: Revision) -> Account {
    Account(
      id: id, name: name, kind: kind, fullName: fullName, isActive: isActive, isAdmin: isAdmin,
      createdAt: createdAt, revision: revision)
  }

  mutating func apply(_ changes: AccountChanges) {
    fullName = changes.fullName ?? fullName
    isActive = changes.isActive ?? isActive
    isAdmin = changes.isAdmin ?? isAdmin
  }
}

/// A team as it lies in the store; both ids are in the key.
struct TeamRecord: Codable, Hashable {
  var name: AccountName
  var description: String
}

/// A membership in an organisation.
struct MemberRecord: Codable, Hashable {
  var role: OrganizationRole
}

/// A membership in a team.
struct TeamMemberRecord: Codable, Hashable {
  var isAdmin: Bool
}

/// A password's hash in PHC string format.
struct PasswordRecord: Codable, Hashable {
  var hash: String
  var changedAt: Timestamp
}

/// A personal access token; its hash is in the key.
struct AccessTokenRecord: Codable, Hashable {
  var label: String
  var isActive: Bool
  var createdAt: Timestamp
  var expiresAt: Timestamp?
  var generatedBy: String
}

/// When an access token was last used.
struct UsageRecord: Codable, Hashable {
  var at: Timestamp
}

/// A refresh token; its hash is in the key.
struct RefreshRecord: Codable, Hashable {
  var service: String
  var clientID: String
  var expiresAt: Timestamp
}

/// A key that signs tokens.
struct SigningKeyRecord: Codable, Hashable {
  /// The private scalar in base64url, sealed when `isSealed`.
  var privateKey: String
  var isSealed: Bool
  var createdAt: Timestamp
}

/// Records to bytes and back.
enum RecordCoding {
  static func encode(_ record: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Array(try encoder.encode(record))
    } catch {
      throw IdentityError(.damaged, "a record cannot be written", cause: error)
    }
  }

  static func decode<Record: Decodable>(_ type: Record.Type, _ item: KeyValue) throws -> Record {
    do {
      return try JSONDecoder().decode(type, from: Data(item.value))
    } catch {
      throw IdentityError.damaged(item.key.string, cause: error)
    }
  }
}
