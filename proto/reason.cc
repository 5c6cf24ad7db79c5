#include "proto/reason.h"

namespace qure {

std::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDrop:
      return "drop";
    case Verdict::kHost:
      return "host";
    case Verdict::kLan:
      return "lan";
    case Verdict::kAnswer:
      return "answer";
    case Verdict::kControl:
      return "control";
  }
  return "unknown";
}

}  // namespace qure
