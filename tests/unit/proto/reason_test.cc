#include "proto/reason.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace qure {
namespace {

TEST(Reason, NamesAreUniqueMetricLabels) {
  std::set<std::string_view> names;
  for (const ReasonInfo& info : kReasons) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(std::all_of(info.name.begin(), info.name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    })) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
  }
  EXPECT_EQ(names.size(), kReasonCount);
}

TEST(Reason, ImpliesItsVerdict) {
  EXPECT_EQ(VerdictOf(Reason::arp_reply), Verdict::kAnswer);
  EXPECT_EQ(VerdictOf(Reason::host_service), Verdict::kHost);
  EXPECT_EQ(VerdictOf(Reason::lan_host), Verdict::kLan);
  EXPECT_EQ(VerdictOf(Reason::host_full), Verdict::kDrop);
  EXPECT_EQ(VerdictOf(Reason::cluster_heartbeat), Verdict::kControl);
  EXPECT_EQ(NameOf(Reason::ip4_total_length), "ip4_total_length");
}

TEST(Verdict, Names) {
  EXPECT_EQ(NameOf(Verdict::kDrop), "drop");
  EXPECT_EQ(NameOf(Verdict::kHost), "host");
  EXPECT_EQ(NameOf(Verdict::kLan), "lan");
  EXPECT_EQ(NameOf(Verdict::kAnswer), "answer");
  EXPECT_EQ(NameOf(Verdict::kControl), "control");
}

}  // namespace
}  // namespace qure
