// The laws of the merge, and what is in effect and lost.
#include "control/core/config/stage_map.h"

#include <gtest/gtest.h>

#include <random>

namespace qure::clusterconfig {
namespace {

Version V(uint64_t n, uint64_t epoch = 1, uint64_t holder = 7) {
  return {.term = {.era = 1, .epoch = epoch, .holder = holder}, .n = n, .check = n};
}
StageMap MapOf(const std::map<Version, Stage>& stages) {
  StageMap map;
  for (const auto& [version, stage] : stages) map.Raise(version, stage);
  return map;
}
StageMap Merged(StageMap a, const StageMap& b) {
  a.Merge(b);
  return a;
}
Stage AnyStage(std::mt19937& random) {
  return static_cast<Stage>(1 + random() % kLastStage);
}
// Of few versions, so that maps meet in them; `most` above the bound makes it bite.
StageMap Some(std::mt19937& random, size_t most, uint64_t versions) {
  StageMap map;
  for (size_t left = random() % most; left > 0; --left) {
    // Few are confirmed: the greatest that is, is often beyond the bound.
    const Stage stage = random() % 8 == 0 ? Stage::kConfirmed : AnyStage(random);
    map.Raise(V(1 + random() % versions), versions > kVersionsKept && random() % 16 != 0 ? Stage::kOpen : stage);
  }
  return map;
}

bool IsBelow(const StageMap& a, const StageMap& b) {
  return std::ranges::all_of(a.stages(), [&](const auto& each) { return each.second <= b.Of(each.first); });
}

void LawsHold(const StageMap& a, const StageMap& b, const StageMap& c) {
  const StageMap ab = Merged(a, b);
  ASSERT_EQ(ab, Merged(b, a));
  ASSERT_EQ(Merged(ab, c), Merged(a, Merged(b, c)));
  ASSERT_EQ(Merged(a, a), a);
  ASSERT_EQ(Merged(ab, b), ab);
  ASSERT_EQ(ab.Digest(), Merged(b, a).Digest());
}

TEST(StageMapLaws, HoldForAnyThreeMaps) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const StageMap a = Some(random, 5, 6);
    const StageMap b = Some(random, 5, 6);
    const StageMap c = Some(random, 5, 6);
    ASSERT_NO_FATAL_FAILURE(LawsHold(a, b, c)) << i;
    ASSERT_TRUE(IsBelow(a, Merged(a, b))) << i;
  }
}

TEST(StageMapLaws, HoldWithinTheBound) {
  std::mt19937 random(2);
  int bounded = 0;
  int confirmed_below = 0;
  for (int i = 0; i < 1'500; ++i) {
    const StageMap a = Some(random, 90, 150);
    const StageMap b = Some(random, 90, 150);
    const StageMap c = Some(random, 90, 150);
    ASSERT_NO_FATAL_FAILURE(LawsHold(a, b, c)) << i;
    const StageMap all = Merged(Merged(a, b), c);
    ASSERT_LE(all.stages().size(), kVersionsKept + 1);
    bounded += all.stages().size() >= kVersionsKept ? 1 : 0;
    confirmed_below += all.stages().size() > kVersionsKept ? 1 : 0;
  }
  EXPECT_GT(bounded, 500);
  EXPECT_GT(confirmed_below, 10) << "the greatest confirmed one is beside the bound";
}

TEST(StageMap, VersionsAreInTheOrderOfTheirTerms) {
  EXPECT_LT(V(9, 1), V(1, 2));
  EXPECT_LT(V(9, 1, 7), V(1, 1, 8));
  EXPECT_LT(V(1), V(2));
  Version era = V(1);
  era.term.era = 2;
  EXPECT_LT(V(9, 9), era);
}

TEST(StageMap, StagesOnlyRise) {
  for (uint8_t before = 0; before <= kLastStage; ++before) {
    for (uint8_t after = 0; after <= kLastStage; ++after) {
      StageMap map;
      map.Raise(V(1), static_cast<Stage>(before));
      EXPECT_EQ(map.Raise(V(1), static_cast<Stage>(after)), after > before);
      EXPECT_EQ(map.Of(V(1)), static_cast<Stage>(std::max(before, after)));
    }
  }
}

TEST(StageMap, TheGreatestThatIsOpenOrConfirmedIsInEffect) {
  using enum Stage;
  EXPECT_EQ(StageMap().InEffect(), std::nullopt);
  EXPECT_EQ(MapOf({{V(1), kConfirmed}, {V(2), kPrepared}}).InEffect(), V(1));
  EXPECT_EQ(MapOf({{V(1), kConfirmed}, {V(2), kOpen}}).InEffect(), V(2));
  EXPECT_EQ(MapOf({{V(1), kConfirmed}, {V(2), kExpired}}).InEffect(), V(1));
  EXPECT_EQ(MapOf({{V(1), kOpen}, {V(2), kConfirmed}}).InEffect(), V(2));
  EXPECT_EQ(MapOf({{V(1), kExpired}, {V(2), kPrepared}}).InEffect(), std::nullopt);
}

TEST(StageMap, OneChangeIsPendingUnlessAGreaterOneIsConfirmed) {
  using enum Stage;
  EXPECT_EQ(MapOf({{V(1), kConfirmed}, {V(2), kExpired}}).Pending(), std::nullopt);
  EXPECT_EQ(MapOf({{V(1), kConfirmed}, {V(2), kPrepared}}).Pending(), V(2));
  EXPECT_EQ(MapOf({{V(1), kOpen}, {V(2), kPrepared}}).Pending(V(2)), V(1));
  EXPECT_EQ(MapOf({{V(1), kOpen}, {V(2), kConfirmed}}).Pending(), std::nullopt);
}

TEST(StageMap, KnowsTheGreatestNumberOfATerm) {
  const StageMap map = MapOf({{V(3, 1), Stage::kExpired}, {V(5, 2), Stage::kOpen}, {V(4, 2, 9), Stage::kOpen}});
  EXPECT_EQ(map.GreatestOf(V(1, 1).term), 3u);
  EXPECT_EQ(map.GreatestOf(V(1, 2).term), 5u);
  EXPECT_EQ(map.GreatestOf(V(1, 2, 9).term), 4u);
  EXPECT_EQ(map.GreatestOf(V(1, 3).term), 0u);
  EXPECT_EQ(map.GreatestOf(V(1, 0).term), 0u);
}

TEST(StageMap, AConfirmationThatIsTakenBackIsNoOpenChange) {
  StageMap map = MapOf({{V(1), Stage::kConfirmed}, {V(2), Stage::kOpen}});
  map.Unconfirm(V(1));
  map.Unconfirm(V(2));
  EXPECT_EQ(map.Of(V(1)), Stage::kExpired);
  EXPECT_EQ(map.Of(V(2)), Stage::kOpen);
}

TEST(Lost, IsWhatWasInEffectAndIsNotWhatThePresentOneWasMadeFrom) {
  using enum Stage;
  const std::map<Version, Version> bases = {{V(1), {}}, {V(2), V(1)}, {V(3), V(1)}, {V(4), V(3)}, {V(5), V(4)}};
  const auto base_of = [&](const Version& version) {
    const auto found = bases.find(version);
    return found == bases.end() ? std::nullopt : std::optional(found->second);
  };
  const auto all = [](const Version&) { return true; };
  const StageMap map =
      MapOf({{V(1), kConfirmed}, {V(2), kConfirmed}, {V(3), kConfirmed}, {V(4), kConfirmed}, {V(5), kExpired}});
  EXPECT_EQ(Lost(map, base_of, all), (std::vector{V(5), V(2)}));
  EXPECT_EQ(Lost(map, base_of, [](const Version& version) { return version != V(5); }), std::vector{V(2)});
  // Nobody knows how 3 was made: what is older may be what it was made from.
  const auto short_base = [&](const Version& version) { return version == V(3) ? std::nullopt : base_of(version); };
  EXPECT_EQ(Lost(map, short_base, all), std::vector{V(5)});
  EXPECT_EQ(Lost(MapOf({{V(1), kExpired}, {V(2), kPrepared}}), base_of, all), std::vector{V(1)});
}

}  // namespace
}  // namespace qure::clusterconfig
