// Members of what an operator asks over the control socket.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace qure {

// Null unless the member is there and is a string.
inline const std::string* TextIn(const nlohmann::json& request, std::string_view key) {
  const auto found = request.find(key);
  return found == request.end() ? nullptr : found->get_ptr<const std::string*>();
}

// What is no string counts as not given.
inline std::string TextIn(const nlohmann::json& request, std::string_view key, std::string_view otherwise) {
  const std::string* const text = TextIn(request, key);
  return text != nullptr ? *text : std::string(otherwise);
}

}  // namespace qure
