#include "control/config/cluster_key.h"

#include <sodium.h>

#include <algorithm>

namespace qure {
namespace {

constexpr size_t kSuspiciousRun = 16;  // of digits: longer than any number that a configuration has

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

std::optional<ClusterKey> ParseClusterKey(std::string_view text) {
  ClusterKey key{};
  if (text.size() != kClusterKeyDigits || !std::all_of(text.begin(), text.end(), IsHexDigit)) return std::nullopt;
  size_t length = 0;
  if (sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), nullptr, &length, nullptr) != 0) return {};
  if (length != key.size() || sodium_is_zero(key.data(), key.size()) != 0) return std::nullopt;
  return key;
}

std::string ClusterKeyText(const ClusterKey& key) {
  std::string text(kClusterKeyDigits + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), key.data(), key.size());
  text.pop_back();  // the final zero
  return text;
}

ClusterKey DrawClusterKey() {
  ClusterKey key{};
  randombytes_buf(key.data(), key.size());
  return key;
}

std::string WithoutKeys(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const auto* const end = std::find_if_not(text.begin(), text.end(), IsHexDigit);
    const auto run = std::max<size_t>(static_cast<size_t>(end - text.begin()), 1);
    result += run >= kSuspiciousRun ? std::string_view("…") : text.substr(0, run);
    text.remove_prefix(run);
  }
  return result;
}

}  // namespace qure
