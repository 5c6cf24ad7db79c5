#include "control/config/shared_part.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "control/base/text.h"
#include "control/config/cluster_key.h"
#include "control/config/config_keys.h"
#include "control/config/config_reader.h"
#include "control/core/admission/records.h"

namespace qure {
namespace {

std::string_view Stripped(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// "node.lan" of [node.lan]; nothing if the line is no header.
std::optional<std::string_view> HeaderIn(std::string_view line) {
  line = Stripped(line);
  if (!line.starts_with('[')) return std::nullopt;
  line.remove_prefix(line.starts_with("[[") ? 2 : 1);
  const size_t end = line.find(']');
  if (end == line.npos) return std::nullopt;
  return Stripped(line.substr(0, end));
}

bool IsOwnSection(std::string_view section) {
  return section == "node" || section.starts_with("node.");
}

// Of a line KEY = VALUE outside of [node].
bool IsOwnLine(std::string_view section, std::string_view line) {
  const size_t equals = line.find('=');
  if (equals == line.npos) return false;
  const std::string key(Stripped(line.substr(0, equals)));
  return IsNodesOwn(section.empty() ? key : Concat(section, ".", key));
}

bool IsComment(std::string_view line) {
  return Stripped(line).starts_with('#');
}

// What is commented out may be a key.
std::string CommentOf(std::string_view line) {
  return IsComment(line) ? WithoutKeys(line) : std::string(line);
}

std::string WithoutOwnLines(std::string_view toml) {
  std::string shared;
  std::string_view section;
  std::vector<std::string> before;  // comments within a section of the node's, or of what comes next
  while (!toml.empty()) {
    const std::string_view line = toml.substr(0, toml.find('\n'));
    toml.remove_prefix(std::min(line.size() + 1, toml.size()));
    const auto header = HeaderIn(line);
    if (header) section = *header;
    const bool own = IsOwnSection(section);
    if (own && (IsComment(line) || Stripped(line).empty())) {
      before.push_back(CommentOf(line));
      continue;
    }
    for (const std::string& comment : std::exchange(before, {})) shared += (own ? "" : comment) + "\n";
    if (!own && (header || !IsOwnLine(section, line))) shared += CommentOf(line);
    shared += '\n';
  }
  while (shared.ends_with("\n\n")) shared.pop_back();
  return shared;
}

void EraseOwn(toml::table* root) {
  root->erase("node");
  toml::table* const cluster = (*root)["cluster"].as_table();
  if (cluster == nullptr) return;
  std::vector<std::string> own;
  for (const auto& [key, node] : *cluster) {
    if (IsNodesOwn(Concat("cluster.", key.str()))) own.emplace_back(key.str());
  }
  for (const std::string& key : own) cluster->erase(key);
  if (cluster->empty()) root->erase("cluster");
}

// Of FILE:LINE: KEY, or of one word, which is a file, a key or an option; 0: the text begins with no place.
size_t EndOfPlace(std::string_view text) {
  const size_t end = text.find(": ");
  if (end == text.npos) return 0;
  const std::string_view first = text.substr(0, end);
  const size_t before_line = first.find_last_not_of("0123456789");
  const bool has_line = before_line != first.npos && before_line + 1 < first.size() && first[before_line] == ':';
  if (!has_line) return first.find(' ') == first.npos ? end : 0;
  const size_t after_key = text.find(": ", end + 2);
  return after_key == text.npos ? end : after_key;
}

// What no node could take, whatever it runs.
absl::Status CheckSize(const toml::table& shared, size_t bytes, std::string_view name) {
  if (shared.empty()) {
    return absl::InvalidArgumentError(
        Concat(name, ":1: cluster.address: missing; add a section [[cluster.address]] with the service address"));
  }
  if (bytes > admission::kMaxConfigBody) {
    return absl::InvalidArgumentError(Concat(name, ":1: cluster: has ", bytes, " bytes for all nodes; use at most ",
                                             admission::kMaxConfigBody, ", and files for large zones"));
  }
  return absl::OkStatus();
}

absl::Status CannotSplit(std::string_view name) {
  return absl::InvalidArgumentError(
      Concat(name,
             ":1: cluster: its part cannot be told from the node's; write [node] and [cluster] each as a section "
             "of its own, with one key a line"));
}

}  // namespace

absl::StatusOr<std::string> SharedPart(std::string_view toml, std::string_view name) {
  absl::StatusOr<toml::table> whole = ParseToml(toml, name);
  if (!whole.ok()) return whole.status();
  std::string shared = WithoutOwnLines(toml);
  absl::StatusOr<toml::table> part = ParseToml(shared, name);
  if (!part.ok()) return CannotSplit(name);
  // Whatever the lines look like: what is left is the whole without what is a node's own.
  EraseOwn(&*whole);
  if (toml::table* const cluster = (*part)["cluster"].as_table(); cluster != nullptr && cluster->empty()) {
    part->erase("cluster");
  }
  if (*part != *whole) return CannotSplit(name);
  if (absl::Status size = CheckSize(*whole, shared.size(), name); !size.ok()) return size;
  return shared;
}

std::vector<std::string> SharedKeysIn(std::string_view toml) {
  std::vector<std::string> keys;
  const absl::StatusOr<toml::table> root = ParseToml(toml, "");
  if (!root.ok()) return keys;
  const toml::table* const cluster = (*root)["cluster"].as_table();
  if (cluster == nullptr) return keys;
  for (const auto& [key, node] : *cluster) {
    std::string path = Concat("cluster.", key.str());
    if (!IsNodesOwn(path)) keys.push_back(std::move(path));
  }
  return keys;
}

clusterconfig::Finding FindingOf(const absl::Status& error) {
  const std::string all(error.message());
  const std::string line = all.substr(0, all.find('\n'));
  clusterconfig::Finding finding;
  // PLACE: what; what
  const size_t end = EndOfPlace(line);
  const size_t begin = end == 0 ? 0 : end + 2;
  finding.where = line.substr(0, end);
  const size_t remedy = line.find("; ", begin);
  finding.reason = line.substr(begin, remedy == line.npos ? remedy : remedy - begin);
  if (remedy != line.npos) finding.remedy = line.substr(remedy + 2);
  return finding;
}

}  // namespace qure
