/// The word of `candidates` that `word` was probably meant to be; nil when none is near.
package func suggestion(for word: String, from candidates: some Sequence<String>) -> String? {
  guard word.utf8.count <= 64 else { return nil }
  let limit = min(3, max(1, word.utf8.count / 3))
  let letters = Array(word.lowercased().utf8)
  let near = candidates.map { ($0, editDistance(letters, Array($0.utf8))) }
    .filter { $0.1 <= limit }.min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
  // a word cut short is far from the whole by its letters
  return near
    ?? (letters.count < 3
      ? nil
      : candidates.filter { $0.utf8.starts(with: letters) }.min { ($0.count, $0) < ($1.count, $1) })
}

/// How many letters must be inserted, left out or replaced to make one word of the other.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
  var row = Array(0...right.count)
  for (index, letter) in left.enumerated() {
    var diagonal = row[0]
    row[0] = index + 1
    for column in right.indices {
      let above = row[column + 1]
      row[column + 1] = min(
        above + 1, row[column] + 1, diagonal + (letter == right[column] ? 0 : 1))
      diagonal = above
    }
  }
  return row[right.count]
}
