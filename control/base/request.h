// Members of an operator's request over the control socket.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace qure {

// Null unless the request has the member and it is a string.
inline const std::string* TextIn(const nlohmann::json& request, std::string_view key) {
  const auto found = request.find(key);
  return found == request.end() ? nullptr : found->get_ptr<const std::string*>();
}

// A member that is not a string counts as absent.
inline std::string TextIn(const nlohmann::json& request, std::string_view key, std::string_view otherwise) {
  const std::string* const text = TextIn(request, key);
  return text != nullptr ? *text : std::string(otherwise);
}

}  // namespace qure
