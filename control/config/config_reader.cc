#include "control/config/config_reader.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "control/base/text.h"
#include "control/config/cluster_key.h"
#include "control/config/config_keys.h"
#include "proto/check.h"

namespace qure {
namespace {

const toml::table kEmptyTable;

uint32_t LineOf(const toml::source_region& source) {
  return std::max<uint32_t>(source.begin.line, 1);
}

std::string_view TypeName(toml::node_type type) {
  switch (type) {
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a fractional number";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

// Levenshtein's distance: insertions, deletions and replacements that turn one word into the other.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::optional<Duration> ParseInterval(std::string_view text) {
  const bool milliseconds = text.ends_with("ms");
  if (!milliseconds && !text.ends_with('s')) return std::nullopt;
  text.remove_suffix(milliseconds ? 2 : 1);
  const std::optional<uint32_t> count = ParseUnsigned(text);
  if (!count) return std::nullopt;
  return milliseconds ? Milliseconds(*count) : Seconds(*count);
}

}  // namespace

absl::StatusOr<toml::table> ParseToml(std::string_view text, std::string_view name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    ConfigErrors errors(name);
    errors.Add({std::max<uint32_t>(error.source().begin.line, 1), "syntax"},
               Concat(WithoutKeys(error.description()),
                      "; write TOML (https://toml.io): key = value, one a line, strings in quotes"));
    return errors.status();
  }
}

std::string IntervalText(Duration interval) {
  const Duration second = Seconds(1);
  if (interval.ns % second.ns == 0) return Concat(interval.ns / second.ns, "s");
  return Concat(interval.ns / Milliseconds(1).ns, "ms");
}

void ConfigErrors::Add(const Place& place, std::string_view message) {
  errors_.push_back({Concat(place.key, ": ", message), place});
}

absl::Status ConfigErrors::status() const {
  if (errors_.empty()) return absl::OkStatus();
  std::vector<Placed<std::string>> sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.place.line < b.place.line; });
  return absl::InvalidArgumentError(
      absl::StrJoin(sorted, "\n", [this](std::string* out, const Placed<std::string>& error) {
        *out += Concat(file_, ":", error.place.line, ": ", error.value);
      }));
}

TableReader::TableReader(const toml::table& table, Place place, ConfigErrors* errors)
    : table_(&table), place_(std::move(place)), errors_(errors) {}

std::vector<std::string> TableReader::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : *table_) keys.emplace_back(key.str());
  return keys;
}

Place TableReader::PlaceOf(std::string_view key) const {
  const auto found = table_->find(key);
  const uint32_t line = found == table_->end() ? place_.line : LineOf(found->second.source());
  return {line, place_.key.empty() ? std::string(key) : Concat(place_.key, ".", key)};
}

const toml::node* TableReader::Get(std::string_view key) {
  const std::string path = PlaceOf(key).key;
  QURE_CHECK(IsConfigPath(path), path);
  known_.emplace(key);
  return table_->get(key);
}

void TableReader::FailType(const Place& place, const toml::node& node, std::string_view right) const {
  errors_->Add(place, Concat("is ", TypeName(node.type()), "; write ", right));
}

std::optional<Placed<std::string>> TableReader::OptionalString(std::string_view key) {
  const toml::node* node = Get(key);
  if (node == nullptr) return std::nullopt;
  const Place place = PlaceOf(key);
  if (const auto* text = node->as_string()) return Placed<std::string>{text->get(), place};
  FailType(place, *node, "a string in quotes");
  return std::nullopt;
}

Placed<std::string> TableReader::String(std::string_view key, std::string_view fallback) {
  if (auto text = OptionalString(key)) return *std::move(text);
  return {std::string(fallback), PlaceOf(key)};
}

std::optional<Placed<std::string>> TableReader::RequiredString(std::string_view key, std::string_view hint) {
  std::optional<Placed<std::string>> text = OptionalString(key);
  if (!Has(key)) Fail(key, Concat("missing; ", hint));
  if (text && text->value.empty()) {
    Fail(key, Concat("is empty; ", hint));
    return std::nullopt;
  }
  return text;
}

bool TableReader::Boolean(std::string_view key, bool fallback) {
  const toml::node* node = Get(key);
  if (node == nullptr) return fallback;
  if (const auto* value = node->as_boolean()) return value->get();
  FailType(PlaceOf(key), *node, "true or false without quotes");
  return fallback;
}

std::optional<int64_t> TableReader::CheckRange(const Place& place, int64_t value, int64_t least, int64_t most) const {
  if (value >= least && value <= most) return value;
  errors_->Add(place, Concat(value, " is out of range; use ", least, " to ", most));
  return std::nullopt;
}

int64_t TableReader::Integer(std::string_view key, int64_t fallback, int64_t least, int64_t most) {
  const toml::node* node = Get(key);
  if (node == nullptr) return fallback;
  if (const auto* value = node->as_integer())
    return CheckRange(PlaceOf(key), value->get(), least, most).value_or(fallback);
  FailType(PlaceOf(key), *node, "a whole number without quotes");
  return fallback;
}

Duration TableReader::Interval(std::string_view key, Duration fallback, Duration least, Duration most) {
  const std::optional<Placed<std::string>> text = OptionalString(key);
  if (!text) return fallback;
  const std::optional<Duration> interval = ParseInterval(text->value);
  if (interval && *interval >= least && *interval <= most) return *interval;
  Fail(key, Concat("\"", text->value, "\" is not a time from ", IntervalText(least), " to ", IntervalText(most),
                   "; write it like \"", IntervalText(fallback), "\""));
  return fallback;
}

const toml::array* TableReader::GetArray(std::string_view key, std::string_view form) {
  const toml::node* node = Get(key);
  if (node == nullptr) return nullptr;
  if (!node->is_array()) FailType(PlaceOf(key), *node, form);
  return node->as_array();
}

std::vector<Placed<std::string>> TableReader::Strings(std::string_view key) {
  std::vector<Placed<std::string>> result;
  const toml::array* array = GetArray(key, "a list of strings: [\"…\", \"…\"]");
  if (array == nullptr) return result;
  for (const toml::node& node : *array) {
    const Place place{LineOf(node.source()), PlaceOf(key).key};
    if (const auto* text = node.as_string()) {
      result.push_back({text->get(), place});
    } else {
      FailType(place, node, "a string in quotes");
    }
  }
  return result;
}

std::vector<Placed<int64_t>> TableReader::Integers(std::string_view key, int64_t least, int64_t most) {
  std::vector<Placed<int64_t>> result;
  const toml::array* array = GetArray(key, "a list of whole numbers: [1, 2]");
  if (array == nullptr) return result;
  for (const toml::node& node : *array) {
    const Place place{LineOf(node.source()), PlaceOf(key).key};
    if (const auto* value = node.as_integer()) {
      result.push_back({CheckRange(place, value->get(), least, most).value_or(least), place});
    } else {
      FailType(place, node, "a whole number without quotes");
    }
  }
  return result;
}

TableReader TableReader::Table(std::string_view key) {
  const toml::node* node = Get(key);
  if (node != nullptr && !node->is_table()) FailType(PlaceOf(key), *node, Concat("a section [", PlaceOf(key).key, "]"));
  const toml::table* table = node == nullptr ? nullptr : node->as_table();
  return {table == nullptr ? kEmptyTable : *table, PlaceOf(key), errors_};
}

std::vector<TableReader> TableReader::Tables(std::string_view key) {
  std::vector<TableReader> result;
  const std::string form = Concat("sections [[", PlaceOf(key).key, "]]");
  const toml::array* array = GetArray(key, form);
  if (array == nullptr) return result;
  for (const toml::node& node : *array) {
    Place place{LineOf(node.source()), PlaceOf(key).key};
    if (const toml::table* table = node.as_table()) {
      result.emplace_back(*table, std::move(place), errors_);
    } else {
      FailType(place, node, form);
    }
  }
  return result;
}

std::string TableReader::Alternatives(const std::vector<std::string_view>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += Concat("\"", words[i], "\"");
  }
  return text;
}

void TableReader::FailChoice(const Placed<std::string>& text, const std::vector<std::string_view>& words) const {
  errors_->Add(text.place, Concat("\"", text.value, "\" is unknown; use ", Alternatives(words)));
}

void TableReader::RejectUnknownKeys() const {
  for (const auto& [key, node] : *table_) {
    if (known_.contains(key.str())) continue;
    const auto distance = [&key = key](const std::string& known) { return EditDistance(key.str(), known); };
    const auto nearest = std::min_element(known_.begin(), known_.end(),
                                          [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
    const size_t limit = std::max<size_t>(2, key.str().size() / 3);
    const std::string right = nearest != known_.end() && distance(*nearest) <= limit
                                  ? Concat("did you mean \"", *nearest, "\"?")
                                  : Concat("known here: ", absl::StrJoin(known_, ", "));
    Place place = PlaceOf(key.str());
    place.line = LineOf(key.source());
    errors_->Add(place, Concat("unknown key; ", right));
  }
}

bool IsPlainName(std::string_view text) {
  const auto plain = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= kMaxNameLength && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), plain);
}

std::string PlainName(TableReader* table, std::string_view key, std::string_view fallback) {
  const Placed<std::string> name = table->String(key, fallback);
  if (!IsPlainName(name.value)) {
    table->Fail(key, Concat("\"", name.value, "\" is not a valid name; use 1 to ", kMaxNameLength,
                            " letters, digits, \"-\", \"_\" or \".\""));
  }
  return name.value;
}

}  // namespace qure
