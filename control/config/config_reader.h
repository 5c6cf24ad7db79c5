// Typed access to TOML tables that remembers the line of each value and collects all errors of a file.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/config_words.h"
#include "proto/time.h"
#include "toml++/toml.h"

namespace qure {

// Where a value is in the file, or would be if it were given.
struct Place {
  uint32_t line = 1;
  std::string key;  // "node.lan.port"
};

template <typename T>
struct Placed {
  T value;
  Place place;
};

// InvalidArgument, with the line, if it is no TOML. `name` stands for the file.
absl::StatusOr<toml::table> ParseToml(std::string_view text, std::string_view name);

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

// One table. Every reader returns the fallback where the key is absent or its value is invalid; the latter is an error.
// The keys that were read are the known ones; each of them is in the table of config_keys.h.
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

  template <typename T, size_t kCount>
  T Choice(std::string_view key, T fallback, const ConfigWord<T> (&words)[kCount]) {
    const auto text = OptionalString(key);
    return text ? Find(*text, words).value_or(fallback) : fallback;
  }
  template <typename T, size_t kCount>
  std::optional<T> RequiredChoice(std::string_view key, const ConfigWord<T> (&words)[kCount]) {
    const auto text = RequiredString(key, "use " + Alternatives(Texts(words)));
    return text ? Find(*text, words) : std::nullopt;
  }

  std::vector<Placed<std::string>> Strings(std::string_view key);
  std::vector<Placed<int64_t>> Integers(std::string_view key, int64_t least, int64_t most);

  // [KEY]; empty if absent.
  TableReader Table(std::string_view key);
  // [[KEY]]; none if absent.
  std::vector<TableReader> Tables(std::string_view key);

  // Call last: every key that was not read is an error, which suggests the most similar known key.
  void RejectUnknownKeys() const;

 private:
  // Null if absent.
  const toml::node* Get(std::string_view key);
  const toml::array* GetArray(std::string_view key, std::string_view form);
  void FailType(const Place& place, const toml::node& node, std::string_view right) const;
  std::optional<int64_t> CheckRange(const Place& place, int64_t value, int64_t least, int64_t most) const;

  template <typename T, size_t kCount>
  std::optional<T> Find(const Placed<std::string>& text, const ConfigWord<T> (&words)[kCount]) const {
    for (const ConfigWord<T>& word : words) {
      if (text.value == word.text) return word.value;
    }
    FailChoice(text, Texts(words));
    return std::nullopt;
  }
  void FailChoice(const Placed<std::string>& text, const std::vector<std::string_view>& words) const;
  template <typename T, size_t kCount>
  static std::vector<std::string_view> Texts(const ConfigWord<T> (&words)[kCount]) {
    std::vector<std::string_view> texts;
    for (const ConfigWord<T>& word : words) texts.push_back(word.text);
    return texts;
  }
  // "a", "b" or "c"
  static std::string Alternatives(const std::vector<std::string_view>& words);

  const toml::table* table_;
  Place place_;
  ConfigErrors* errors_;
  std::set<std::string, std::less<>> known_;
};

// A time as Interval reads it: "150ms", "2s".
std::string IntervalText(Duration interval);

// Names of nodes, clusters, services: they become labels, file names and words of a command.
inline constexpr size_t kMaxNameLength = 63;
bool IsPlainName(std::string_view text);
// The value of the key; if it is not such a name, that is an error.
std::string PlainName(TableReader* table, std::string_view key, std::string_view fallback);

}  // namespace qure
