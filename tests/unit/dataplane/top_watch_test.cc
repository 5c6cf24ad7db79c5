// The addresses with the most flows are found, and what is reported of them is true.
#include "dataplane/pipeline/top_watch.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <span>

#include "proto/net/ip.h"

namespace qure {
namespace {

RemoteAddress Host(uint32_t number) {
  return MappedAddress({{198, static_cast<uint8_t>(18 + (number >> 16 & 1)), static_cast<uint8_t>(number >> 8),
                         static_cast<uint8_t>(number)}});
}

class TopWatchTest : public ::testing::Test {
 protected:
  void Note(uint32_t host, uint8_t service = 1, NodeSlot owner = kSelfSlot) {
    FlowEntry entry;
    entry.key = {.remote = Host(host),
                 .remote_port = Be16(uint16_t{7}),
                 .local_port = Be16(uint16_t{80}),
                 .local_address = 3,
                 .protocol = kProtocolTcp};
    entry.owner = owner;
    watch_->Note(entry, service);
    ++flows_[Host(host)];
  }
  std::span<const TopRemote> Top() const { return {watch_->top().remotes.data(), watch_->top().count}; }

  std::unique_ptr<TopWatch> watch_ = std::make_unique<TopWatch>(0x7e57);
  std::map<RemoteAddress, uint32_t> flows_;
};

}  // namespace

TEST_F(TopWatchTest, ThoseWithTheMostComeFirst) {
  for (const auto& [host, count] : std::map<uint32_t, int>{{1, 5}, {2, 9}, {3, 7}}) {
    for (int i = 0; i < count; ++i) Note(host);
  }
  EXPECT_TRUE(Top().empty()) << "the pass is not over";
  watch_->Finish();
  ASSERT_EQ(Top().size(), 3U);
  EXPECT_EQ(Top()[0].remote, Host(2));
  EXPECT_EQ(Top()[0].flows, 9U);
  EXPECT_EQ(Top()[0].at_most, 9U);
  EXPECT_EQ(Top()[1].remote, Host(3));
  EXPECT_EQ(Top()[2].remote, Host(1));
  EXPECT_EQ(watch_->top().others, 0U);
}

TEST_F(TopWatchTest, EachPassCountsFromZero) {
  Note(1);
  watch_->Finish();
  Note(2);
  watch_->Finish();
  ASSERT_EQ(Top().size(), 1U);
  EXPECT_EQ(Top()[0].remote, Host(2));
  EXPECT_EQ(Top()[0].flows, 1U);
  EXPECT_EQ(Top()[0].parts[0].flows, 1U);
  watch_->Finish();
  EXPECT_TRUE(Top().empty());
}

TEST_F(TopWatchTest, TellsOfServicesAndOwners) {
  for (int i = 0; i < 3; ++i) Note(1, 1, 4);
  Note(1, 2, 4);
  Note(1, 1, 5);
  watch_->Finish();
  ASSERT_EQ(Top().size(), 1U);
  const auto& parts = Top()[0].parts;
  EXPECT_EQ(parts[0].flows, 3U);
  EXPECT_EQ(parts[0].service, 1U);
  EXPECT_EQ(parts[0].owner, 4U);
  EXPECT_EQ(parts[0].local_port, 80U);
  EXPECT_EQ(parts[0].protocol, kProtocolTcp);
  EXPECT_EQ(parts[0].local_address, 3U);
  EXPECT_EQ(parts[1].service, 2U);
  EXPECT_EQ(parts[2].owner, 5U);
  EXPECT_EQ(parts[3].flows, 0U);
}

TEST_F(TopWatchTest, MorePartsThanItHasRoomForAreCountedButNotToldOf) {
  for (NodeSlot owner = 0; owner < kTopParts + 2; ++owner) Note(1, 1, owner);
  watch_->Finish();
  EXPECT_EQ(Top()[0].flows, kTopParts + 2);
  EXPECT_EQ(Top()[0].parts.back().flows, 1U);
}

TEST_F(TopWatchTest, AmongVeryManyTheyAreFoundAndWhatIsSaidIsTrue) {
  std::mt19937 random(3);
  constexpr uint32_t kHeavy = 20;
  constexpr uint32_t kFlows = 200'000;
  for (uint32_t i = 0; i < kFlows; ++i) {
    const uint32_t pick = static_cast<uint32_t>(random()) % 1000;
    Note(pick < 10 * kHeavy ? pick / 10 : 1000 + (random() & 0xffff));
  }
  watch_->Finish();
  ASSERT_EQ(Top().size(), TopRemotes::kMost);
  std::map<RemoteAddress, uint32_t> found;
  uint32_t before = UINT32_MAX;
  for (const TopRemote& remote : Top()) {
    EXPECT_LE(remote.flows, before);
    before = remote.flows;
    EXPECT_LE(remote.flows, flows_[remote.remote]);
    EXPECT_GE(remote.at_most, flows_[remote.remote]);
    uint32_t parts = 0;
    for (const TopPart& part : remote.parts) parts += part.flows;
    EXPECT_EQ(parts, remote.flows);
    found[remote.remote] = remote.flows;
  }
  for (uint32_t host = 0; host < kHeavy; ++host) EXPECT_TRUE(found.contains(Host(host))) << host;
  for (const auto& [remote, flows] : flows_) {
    EXPECT_LE(flows, found.contains(remote) ? flows : watch_->top().others);
  }
  EXPECT_LT(watch_->top().others, 4 * kFlows / SpaceSaving::kCounters);
}

}  // namespace qure
