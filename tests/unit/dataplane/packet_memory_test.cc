#include "dataplane/packet_memory.h"

#include <gtest/gtest.h>

namespace qure {
namespace {

constexpr unsigned kLeastMib = 32;
constexpr unsigned kMostMib = 65'536;  // docs/configuration.md

// 5462 MiB once wrapped around in 32 bits and left a pool of a few mbufs.
TEST(FieldD3, PacketMemoryGrowsUpToTheDocumentedLimit) {
  for (unsigned mib = kLeastMib; mib < kMostMib; ++mib) {
    ASSERT_LT(MbufCount(mib), MbufCount(mib + 1)) << mib;
  }
}

TEST(FieldD3, ThreeQuartersOfTheMemoryAreBuffers) {
  for (const unsigned mib : {kLeastMib, 128U, 5461U, 5462U, 10'923U, kMostMib}) {
    const uint64_t bytes = MbufCount(mib) * kMbufBytes;
    const uint64_t share = uint64_t{mib} * 1024 * 1024 / 4 * 3;
    EXPECT_LE(bytes, share) << mib;
    EXPECT_GT(bytes + kMbufBytes, share) << mib;
  }
}

}  // namespace
}  // namespace qure
