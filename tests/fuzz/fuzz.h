// What the fuzz targets share: a check that ends the run, and a way to take values off the input.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "proto/bytes.h"

// A property of the code under test. In force in every build, unlike assert.
#define FUZZ_CHECK(condition)                                                              \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "%s:%d: property fails: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)

namespace qure::fuzz {

// Whether `inner` lies within `outer`.
inline bool Within(ConstBytes inner, ConstBytes outer) {
  return inner.data() >= outer.data() && inner.data() + inner.size() <= outer.data() + outer.size();
}

inline bool SameBytes(ConstBytes a, ConstBytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

// A copy in a buffer of exactly its size, so that a sanitizer sees a read beyond.
inline std::vector<uint8_t> Copy(ConstBytes bytes) {
  return {bytes.begin(), bytes.end()};
}

// Takes values off the front of an input; zeros when it is used up.
class Input {
 public:
  explicit Input(ConstBytes bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  ConstBytes rest() const { return rest_; }
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const uint8_t byte = rest_[0];
    rest_ = rest_.subspan(1);
    return byte;
  }

 private:
  ConstBytes rest_;
};

}  // namespace qure::fuzz
