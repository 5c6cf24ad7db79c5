// Which program this is.
#pragma once

#include <string>
#include <string_view>

namespace qure {

// Of the whole project: "0.1.0".
std::string_view Version();
// Of the sources, as git describes them: "v0.1.0-5-g1234abc-dirty"; the version where they were built without git.
std::string_view Revision();
// Both: "0.1.0 (1234abc)".
std::string FullVersion();

}  // namespace qure
