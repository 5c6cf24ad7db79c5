// Typed access to TOML tables that keeps in mind where everything stands, and collects all that is wrong with a file.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "proto/time.h"
#include "toml++/toml.h"

namespace qure {

// Where a value stands, or would stand if it were given.
struct Place {
  uint32_t line = 1;
  std::string key;  // "node.lan.port"
};

template <typename T>
struct Placed {
  T value;
  Place place;
};

class ConfigErrors {
 public:
  explicit ConfigErrors(std::string_view file) : file_(file) {}

  // `message`: "what is wrong; what would be right".
  void Add(const Place& place, std::string_view message);
  // InvalidArgument with one line for each error in the order of the file, OK if there is none.
  absl::Status status() const;

 private:
  std::string file_;
  std::vector<Placed<std::string>> errors_;
};

// One table. Every reader returns the fallback where the key is absent or its value is unsound; the latter is an error.
// The keys that were asked for are the known ones.
class TableReader {
 public:
  // `table` and `errors` outlive the reader.
  TableReader(const toml::table& table, Place place, ConfigErrors* errors);

  bool Has(std::string_view key) const { return table_->contains(key); }
  bool IsString(std::string_view key) const { return (*table_)[key].is_string(); }
  std::vector<std::string> Keys() const;  // in the order of the alphabet
  Place PlaceOf(std::string_view key) const;
  const Place& place() const { return place_; }
  ConfigErrors* errors() const { return errors_; }
  void Fail(std::string_view key, std::string_view message) const { errors_->Add(PlaceOf(key), message); }

  std::optional<Placed<std::string>> OptionalString(std::string_view key);
  Placed<std::string> String(std::string_view key, std::string_view fallback);
  // Absent is an error too: "missing; HINT".
  std::optional<Placed<std::string>> RequiredString(std::string_view key, std::string_view hint);
  bool Boolean(std::string_view key, bool fallback);
  // Within [least, most].
  int64_t Integer(std::string_view key, int64_t fallback, int64_t least, int64_t most);
  // "150ms" or "1s", within [least, most].
  Duration Interval(std::string_view key, Duration fallback, Duration least, Duration most);

  template <typename T>
  using Choices = std::initializer_list<std::pair<std::string_view, T>>;
  template <typename T>
  T Choice(std::string_view key, T fallback, Choices<T> choices) {
    const auto text = OptionalString(key);
    return text ? Find(*text, choices).value_or(fallback) : fallback;
  }
  template <typename T>
  std::optional<T> RequiredChoice(std::string_view key, Choices<T> choices) {
    const auto text = RequiredString(key, "use " + Alternatives(Words(choices)));
    return text ? Find(*text, choices) : std::nullopt;
  }

  std::vector<Placed<std::string>> Strings(std::string_view key);
  std::vector<Placed<int64_t>> Integers(std::string_view key, int64_t least, int64_t most);

  // [KEY]; empty if absent.
  TableReader Table(std::string_view key);
  // [[KEY]]; none if absent.
  std::vector<TableReader> Tables(std::string_view key);

  // Call last: every key that nobody has asked for is an error, with the known key that it may stand for.
  void RejectUnknownKeys() const;

 private:
  // Null if absent.
  const toml::node* Get(std::string_view key);
  const toml::array* GetArray(std::string_view key, std::string_view form);
  void FailType(const Place& place, const toml::node& node, std::string_view right) const;
  std::optional<int64_t> CheckRange(const Place& place, int64_t value, int64_t least, int64_t most) const;

  template <typename T>
  std::optional<T> Find(const Placed<std::string>& text, Choices<T> choices) const {
    for (const auto& [word, value] : choices) {
      if (text.value == word) return value;
    }
    FailChoice(text, Words(choices));
    return std::nullopt;
  }
  void FailChoice(const Placed<std::string>& text, const std::vector<std::string_view>& words) const;
  template <typename T>
  static std::vector<std::string_view> Words(Choices<T> choices) {
    std::vector<std::string_view> words;
    for (const auto& choice : choices) words.push_back(choice.first);
    return words;
  }
  // "a", "b" or "c"
  static std::string Alternatives(const std::vector<std::string_view>& words);

  const toml::table* table_;
  Place place_;
  ConfigErrors* errors_;
  std::set<std::string, std::less<>> known_;
};

// Names of nodes, clusters, services: they become labels, file names and words of a command.
inline constexpr size_t kMaxNameLength = 63;
bool IsPlainName(std::string_view text);
// The fallback, with an error, where the text is none.
std::string PlainName(TableReader* table, std::string_view key, std::string_view fallback);

}  // namespace qure
