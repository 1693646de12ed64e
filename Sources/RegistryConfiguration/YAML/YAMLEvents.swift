import CYAML

/// What libyaml finds next in a text.
struct YAMLEvent {
  enum Kind {
    case streamStart, streamEnd, documentStart, documentEnd
    case scalar(String, isPlain: Bool)
    case sequenceStart, sequenceEnd, mappingStart, mappingEnd
    case alias(String)
  }

  var kind: Kind
  /// From 1.
  var line: Int
  /// From 1, in characters.
  var column: Int

  func failure(_ message: String) -> YAMLFailure {
    YAMLFailure(message: message, line: line, column: column)
  }
}

/// libyaml's parser over bytes that outlive it.
struct YAMLEvents {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let bytes: UnsafeBufferPointer<UInt8>
  private let isReady: Bool

  /// A parser of these bytes, which must stay where they are until ``close()``.
  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    parser = .allocate(capacity: 1)
    isReady = yaml_parser_initialize(parser) == 1
    guard isReady else { return }
    // otherwise a mark at the beginning could choose another
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
  }

  /// Gives back the parser's memory.
  mutating func close() {
    if isReady { yaml_parser_delete(parser) }
    parser.deallocate()
  }

  mutating func next() throws(YAMLFailure) -> YAMLEvent {
    guard isReady else { throw YAMLFailure(message: "there is no memory", line: 1, column: 1) }
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
    defer { yaml_event_delete(&event) }
    let line = Int(clamping: event.start_mark.line) + 1
    let column = Int(clamping: event.start_mark.column) + 1
    guard let kind = Self.kind(of: event) else {
      throw YAMLFailure(
        message: "tags other than !!str are not taken", line: line, column: column)
    }
    return YAMLEvent(kind: kind, line: line, column: column)
  }

  /// The event in our words; nil for one with a tag that asks for a type.
  private static func kind(of event: yaml_event_t) -> YAMLEvent.Kind? {
    let data = event.data
    switch event.type {
    case YAML_STREAM_START_EVENT: return .streamStart
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_ALIAS_EVENT: return .alias(text(data.alias.anchor))
    case YAML_SCALAR_EVENT:
      let scalar = data.scalar
      let isText = scalar.tag != nil
      guard !isText || isTextTag(text(scalar.tag)) else { return nil }
      let value = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      return .scalar(
        String(decoding: value, as: UTF8.self),
        isPlain: !isText && scalar.style == YAML_PLAIN_SCALAR_STYLE)
    case YAML_SEQUENCE_START_EVENT: return data.sequence_start.tag == nil ? .sequenceStart : nil
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_START_EVENT: return data.mapping_start.tag == nil ? .mappingStart : nil
    case YAML_MAPPING_END_EVENT: return .mappingEnd
    default: return .streamEnd
    }
  }

  private static func isTextTag(_ tag: String) -> Bool {
    tag == "tag:yaml.org,2002:str" || tag == "!"
  }

  private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String {
    pointer.map { String(cString: $0) } ?? ""
  }

  /// What the parser says is wrong. Where bytes are no UTF-8 it tells only which one.
  private func failure() -> YAMLFailure {
    let state = parser.pointee
    let problem = state.problem.map { String(cString: $0) } ?? "it cannot be read"
    if state.error == YAML_READER_ERROR {
      let before = bytes.prefix(state.problem_offset)
      let line = before.count { $0 == UInt8(ascii: "\n") }
      let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
      return YAMLFailure(
        message: "this is no YAML: \(problem)", line: line + 1,
        column: before.count - start + 1)
    }
    let hasMark = state.error != YAML_MEMORY_ERROR
    return YAMLFailure(
      message: "this is no YAML: \(problem)",
      line: hasMark ? Int(clamping: state.problem_mark.line) + 1 : 1,
      column: hasMark ? Int(clamping: state.problem_mark.column) + 1 : 1)
  }
}
