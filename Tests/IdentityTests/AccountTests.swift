import Identity
import StateStore
import Testing

@Suite("Accounts")
struct AccountTests {
  @Test("are made, found, changed and listed")
  func life() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    #expect(try await bench.service.account(accountName("ada")) == ada)
    #expect(try await bench.service.account(id: ada.id) == ada)
    #expect(try await bench.service.account(nameOrID: ada.id.description) == ada)
    #expect(try await bench.service.account(nameOrID: "ada") == ada)
    let changed = try await bench.service.update(
      ada.id, AccountChanges(fullName: "Ada Lovelace", isAdmin: true))
    #expect(changed.fullName == "Ada Lovelace")
    #expect(changed.isAdmin && changed.isActive)
    #expect(changed.revision > ada.revision)
    let unknown = await code { _ = try await bench.service.account(accountName("eve")) }
    #expect(unknown == .noSuchAccount)
    #expect(await code { _ = try await bench.user("ada") } == .nameTaken)
    #expect(await code { _ = try await bench.organization("ada") } == .nameTaken)
  }

  @Test("are listed by name, in pages, through a filter")
  func pages() async throws {
    let bench = Bench()
    for name in ["e", "b", "d", "a", "c"] { _ = try await bench.user(name, password: nil) }
    _ = try await bench.organization("acme")
    var names: [String] = []
    var after: AccountName?
    repeat {
      let page = try await bench.service.accounts(.users, after: after, limit: 2)
      #expect(page.total == 5)
      #expect(page.organizationCount == 1)
      names += page.accounts.map(\.name.description)
      after = page.next
    } while after != nil
    #expect(names == ["a", "b", "c", "d", "e"])
    let organizations = try await bench.service.accounts(.organizations, limit: 10)
    #expect(organizations.accounts.map(\.name.description) == ["acme"])
  }

  @Test("of one name are made once, however many try")
  func race() async throws {
    let bench = Bench()
    let made = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<16 {
        group.addTask { await code { _ = try await bench.user("ada", password: nil) } == nil }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(made == 1)
  }

  @Test("the last active administrator stays one, also when two go at once")
  func lastAdministrator() async throws {
    let bench = Bench()
    let service = bench.service
    let ada = try await service.createUser(accountName("ada"), password: nil, isAdmin: true)
    let demotion = AccountChanges(isAdmin: false)
    #expect(await code { _ = try await service.update(ada.id, demotion) } == .lastAdministrator)
    #expect(await code { try await service.deleteAccount(ada.id) } == .lastAdministrator)
    for round in 0..<10 {
      let other = try await service.createUser(
        accountName("other\(round)"), password: nil, isAdmin: true)
      _ = try await service.update(ada.id, AccountChanges(isAdmin: true))
      let admins = try await service.accounts(.admins, limit: 10).accounts
      await withTaskGroup(of: Void.self) { group in
        for admin in admins {
          group.addTask { _ = await code { _ = try await service.update(admin.id, demotion) } }
        }
      }
      #expect(try await service.accounts(.admins, limit: 10).total == 1)
      _ = try await service.update(ada.id, AccountChanges(isAdmin: true))
      _ = try await service.update(other.id, demotion)
    }
  }

  @Test("the first administrator is made once, with a password told once")
  func firstAdministrator() async throws {
    let bench = Bench()
    let made = try await bench.service.ensureAdministrator(accountName("admin"), password: nil)
    let password = try #require(made)
    #expect(password.count == 20)
    #expect(try await bench.signIn("admin", password).isAdmin)
    #expect(
      try await bench.service.ensureAdministrator(accountName("admin"), password: nil) == nil)
    let other = Bench()
    #expect(
      try await other.service.ensureAdministrator(accountName("root"), password: "given one")
        == nil)
    #expect(try await other.signIn("root", "given one").isAdmin)
  }

  @Test("a deleted user leaves nothing behind")
  func deletion() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let acme = try await bench.organization("acme", owner: ada.id)
    let team = try await bench.service.createTeam(accountName("dev"), of: acme.id)
    try await bench.service.addMember(ada.id, toTeam: team.id)
    _ = try await bench.service.createAccessToken(for: ada.id, label: "ci")
    _ = try await bench.service.issueRefreshToken(for: ada.id, service: "r", clientID: "c")
    _ = try await bench.signIn("ada", "correct horse")
    try await bench.service.deleteAccount(ada.id)
    #expect(await code { _ = try await bench.signIn("ada", "correct horse") } == .unauthenticated)
    #expect(try await bench.service.members(of: acme.id).isEmpty)
    #expect(try await bench.service.members(ofTeam: team.id).isEmpty)
    for item in try await bench.store.list(prefix: "/").items {
      #expect(!item.key.string.contains(ada.id.description))
    }
    let again = try await bench.user("ada")
    #expect(again.id != ada.id)
  }

  @Test("a deleted organisation takes its teams and memberships along")
  func organizationDeletion() async throws {
    let bench = Bench()
    let acme = try await bench.organization("acme")
    let team = try await bench.service.createTeam(accountName("dev"), of: acme.id)
    let ada = try await bench.user("ada")
    try await bench.service.addMember(ada.id, toTeam: team.id)
    try await bench.service.deleteAccount(acme.id)
    let caller = try #require(try await bench.service.caller(for: ada.id))
    #expect(caller.organizations.isEmpty)
    #expect(caller.teams.isEmpty)
    for item in try await bench.store.list(prefix: "/").items {
      #expect(!item.key.string.contains(acme.id.description))
      #expect(!item.key.string.contains(team.id.description))
    }
  }

  @Test("a closed store is an error and no hang")
  func closed() async throws {
    let bench = Bench()
    await bench.store.close()
    #expect(await code { _ = try await bench.user("ada") } == .unavailable)
  }
}

@Suite("Organisations and teams")
struct OrganizationTests {
  @Test("members have roles, and callers know them")
  func members() async throws {
    let bench = Bench()
    let ada = try await bench.user("ada")
    let eve = try await bench.user("eve")
    let acme = try await bench.organization("acme", owner: ada.id)
    try await bench.service.setMember(eve.id, of: acme.id, role: .member)
    let members = try await bench.service.members(of: acme.id)
    #expect(members.map(\.account.name.description) == ["ada", "eve"])
    #expect(members.map(\.role) == [.owner, .member])
    try await bench.service.setMember(eve.id, of: acme.id, role: .owner)
    let caller = try await bench.service.caller(for: eve.id)
    #expect(caller?.organizations == [acme.id: .owner])
    try await bench.service.removeMember(eve.id, of: acme.id)
    let gone = await code { try await bench.service.removeMember(eve.id, of: acme.id) }
    #expect(gone == .noSuchMember)
    let wrong = await code { try await bench.service.setMember(acme.id, of: eve.id, role: .owner) }
    #expect(wrong == .wrongKind)
  }

  @Test("who joins a team joins its organisation, who leaves that leaves its teams")
  func teams() async throws {
    let bench = Bench()
    let service = bench.service
    let acme = try await bench.organization("acme")
    let other = try await bench.organization("other")
    let dev = try await service.createTeam(accountName("dev"), of: acme.id, description: "builders")
    let elsewhere = try await service.createTeam(accountName("dev"), of: other.id)
    let ada = try await bench.user("ada")
    try await service.addMember(ada.id, toTeam: dev.id, isAdmin: true)
    try await service.addMember(ada.id, toTeam: elsewhere.id)
    #expect(try await service.organizations(of: ada.id).map(\.role) == [.member, .member])
    #expect(try await service.members(ofTeam: dev.id).map(\.isAdmin) == [true])
    #expect(try await service.teams(ofUser: ada.id).count == 2)
    try await service.removeMember(ada.id, of: acme.id)
    #expect(try await service.caller(for: ada.id)?.teams == [elsewhere.id])
    try await service.removeMember(ada.id, fromTeam: elsewhere.id)
    let gone = await code { try await service.removeMember(ada.id, fromTeam: elsewhere.id) }
    #expect(gone == .noSuchMember)
  }

  @Test("teams have names of their own in each organisation")
  func names() async throws {
    let bench = Bench()
    let service = bench.service
    let acme = try await bench.organization("acme")
    let dev = try await service.createTeam(accountName("dev"), of: acme.id)
    _ = try await service.createTeam(accountName("ops"), of: acme.id)
    let twice = await code { _ = try await service.createTeam(accountName("dev"), of: acme.id) }
    #expect(twice == .nameTaken)
    let taken = await code { _ = try await service.updateTeam(dev.id, name: accountName("ops")) }
    #expect(taken == .nameTaken)
    let renamed = try await service.updateTeam(dev.id, name: accountName("build"))
    #expect(try await service.team(accountName("build"), of: acme.id) == renamed)
    #expect(try await service.team(nameOrID: dev.id.description, of: acme.id) == renamed)
    _ = try await service.createTeam(accountName("dev"), of: acme.id)
    try await service.deleteTeam(dev.id)
    #expect(await code { _ = try await service.team(id: dev.id) } == .noSuchTeam)
    #expect(try await service.teams(of: acme.id).map(\.name.description) == ["dev", "ops"])
  }
}
