#include "proto/net/endpoint.h"

#include <gtest/gtest.h>

namespace qure::test {
namespace {

TEST(Endpoint, ReadsAndWritesTheSameText) {
  for (const char* const text : {"192.0.2.1:53", "[2001:db8::1]:5353", "0.0.0.0:65535", "[::]:1"}) {
    const std::optional<Endpoint> endpoint = ParseEndpoint(text);
    ASSERT_TRUE(endpoint) << text;
    EXPECT_EQ(ToString(*endpoint), text);
  }
  EXPECT_EQ(ParseEndpoint("[2001:db8::1]:53"), (Endpoint{.address = *ParseIp("2001:db8::1"), .port = 53}));
}

TEST(Endpoint, NeedsBothPartsAndNothingElse) {
  for (const char* const text : {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:53x",
                                 "192.0.2.1:-1", "192.0.2.1: 53", "[192.0.2.1]:53", "2001:db8::1", "2001:db8::1:53",
                                 "[2001:db8::1]", "[]:53", "[2001:db8::1:53", "host:53", ":53"}) {
    EXPECT_EQ(ParseEndpoint(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace qure::test
