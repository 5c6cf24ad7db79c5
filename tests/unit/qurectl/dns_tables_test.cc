#include "control/qurectl/dns_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qure {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

TEST(DnsText, Upstreams) {
  const ordered_json up = {
      {"server", "192.0.2.53:53"}, {"state", "up"}, {"round_trip_ms", 1.25}, {"answers", 12}, {"failures", 0},
      {"last_failure", ""}};
  const ordered_json down = {{"server", "[2001:db8::53]:53"},
                             {"state", "down"},
                             {"round_trip_ms", 0.0},
                             {"answers", 0},
                             {"failures", 3},
                             {"last_failure", "no answer within 1000 ms"}};
  EXPECT_EQ(DnsText({{"upstreams", {up, down}}}),
            "SERVER             STATE  ROUND TRIP  ANSWERS  FAILURES  LAST FAILURE\n"
            "192.0.2.53:53      up         1.2 ms       12         0\n"
            "[2001:db8::53]:53  down       0.0 ms        0         3  no answer within 1000 ms\n");
  EXPECT_THAT(DnsText({{"upstreams", ordered_json::array()}}), HasSubstr("cluster.resolver"));
}

TEST(DnsText, Aliases) {
  const ordered_json good = {
      {"target", "cloud.example."}, {"state", "good"}, {"addresses", {"203.0.113.1", "2001:db8:9::1"}}};
  const ordered_json looped = {{"target", "back.example."}, {"state", "loop"}, {"addresses", ordered_json::array()}};
  EXPECT_EQ(DnsText({{"aliases", {good, looped}}}),
            "TARGET          STATE  ADDRESSES\n"
            "cloud.example.  good   203.0.113.1, 2001:db8:9::1\n"
            "back.example.   loop   none\n");
  EXPECT_THAT(DnsText({{"aliases", ordered_json::array()}}), HasSubstr("ALIAS"));
}

TEST(DnsText, Counts) {
  EXPECT_EQ(DnsText({{"cache", {{"entries", 3}, {"hits", 40}}}}),
            "entries              3\n"
            "hits                 40\n");
  EXPECT_EQ(DnsText({{"server", {{"open", 1}, {"answers", {{"dns_answer", 7}}}}}}),
            "open                 1\n"
            "answers:\n"
            "  dns_answer           7\n");
}

TEST(DnsText, Mdns) {
  const ordered_json mdns = {{"interface", "qure0"},
                             {"enabled", true},
                             {"links",
                              {{{"family", "ipv4"}, {"open", true}, {"settled", true}},
                               {{"family", "ipv6"}, {"open", false}, {"settled", true}}}},
                             {"records", {{{"name", "n1.local."}, {"type", "A"}, {"ttl", 120}}}}};
  EXPECT_EQ(DnsText({{"mdns", mdns}}),
            "qure0, ipv4: published\n"
            "qure0, ipv6: not in use\n"
            "NAME       TYPE  TTL\n"
            "n1.local.  A     120\n");
  EXPECT_THAT(DnsText({{"mdns", {{"enabled", false}}}}), HasSubstr("cluster.mdns.enabled"));
}

}  // namespace
}  // namespace qure
