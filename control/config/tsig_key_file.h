// A TSIG key as the tools of DNS servers write it.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/core/config.h"

namespace qure {

// Either one line ALGORITHM:NAME:SECRET, as dig -y and knsupdate -y have it, or a key clause of BIND, as tsig-keygen
// makes it; the secret in base64. Blank lines and comments are skipped. `file` stands for the file in errors, which
// name the line, "FILE:LINE: what; what would be right", and never quote the file: it contains the secret.
absl::StatusOr<TsigKey> ParseTsigKey(std::string_view text, std::string_view file);
absl::StatusOr<TsigKey> LoadTsigKey(const std::string& path);

}  // namespace qure
