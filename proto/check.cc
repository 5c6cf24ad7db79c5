#include "proto/check.h"

#include <cstdio>
#include <cstdlib>

namespace qure {
namespace {

CheckHandler check_handler = nullptr;  // written before threads begin, read by all

}  // namespace

std::string ToString(const CheckFailure& failure) {
  std::string text =
      std::string(failure.file) + ":" + std::to_string(failure.line) + ": check failed: " + failure.condition;
  if (!failure.values.empty()) text += " (" + failure.values + ")";
  return text;
}

void SetCheckHandler(CheckHandler handler) {
  check_handler = handler;
}

void FailCheck(const CheckFailure& failure) {
  if (check_handler != nullptr) {
    check_handler(failure);
  } else {
    std::fprintf(stderr, "%s\n", ToString(failure).c_str());
  }
  std::abort();
}

}  // namespace qure
