// Which records count, and bodies that come in parts.
#include "control/core/config/entry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "control/core/timers.h"
#include "tests/unit/cluster_config/support.h"

namespace qure::clusterconfig::test {
namespace {

TEST(Signers, MembersAndWhoLeftCountForTermsOfTheirOwn) {
  using namespace admission::test;
  const auto view = admission::ViewOf(SetOf({AdmitRecord(1, 2), AdmitRecord(1, 3), LeaveRecord(3)}));
  const Signers signers(view);
  for (const uint8_t signer : {uint8_t{1}, uint8_t{2}, uint8_t{3}}) {
    EXPECT_TRUE(signers.MayNumber(Make(1, std::nullopt, {}, signer).entry)) << int{signer};
  }
  EXPECT_FALSE(signers.MayNumber(Make(1, std::nullopt, {}, 4).entry)) << "no member";
  const Draft draft{.body = DigestOf("x"), .size = 1};
  EXPECT_FALSE(signers.MayNumber(Number(draft, TermOf(2), 1, clusterconfig::test::Head(), KeyOf(1))))
      << "in a term of another node";
  EXPECT_EQ(signers.NameOf(Identity(2)), "n2");
  EXPECT_EQ(signers.NameOf(Identity(9)).size(), 32u) << "an id";
}

TEST(Signers, WhoIsExpelledDoesNotCount) {
  using namespace admission::test;
  const auto view = admission::ViewOf(SetOf({AdmitRecord(1, 2), RosterRecord(1, {1})}));
  EXPECT_FALSE(Signers(view).MayNumber(Make(1, std::nullopt, {}, 2).entry));
  EXPECT_TRUE(Signers(view).MayNumber(Make(1, std::nullopt, {}, 1).entry));
}

TEST(Entries, OneNumberThatIsUsedTwiceIsTwoVersions) {
  EXPECT_NE(Make(1, std::nullopt, {}, 1, 1, "one").version(), Make(1, std::nullopt, {}, 1, 1, "two").version());
  EXPECT_NE(Make(1, Seconds(2)).version(), Make(1, Seconds(3)).version());
  EXPECT_NE(Make(2, std::nullopt, Make(1).version()).version(), Make(2, std::nullopt).version());
  EXPECT_EQ(Make(1).version(), Make(1).version());
}

TEST(Entries, OnlyTheirOwnKindIsRead) {
  const Self self = SelfOf(1);
  const Made made = Make(1);
  const admission::Record confirm = ConfirmationOf(made.version(), Head(), KeyOf(2));
  EXPECT_TRUE(ReadEntry(made.entry.Bytes(), self.recovery));
  EXPECT_TRUE(ReadConfirm(confirm.Bytes(), self.recovery));
  EXPECT_FALSE(ReadEntry(confirm.Bytes(), self.recovery));
  EXPECT_FALSE(ReadConfirm(made.entry.Bytes(), self.recovery));
  std::vector<uint8_t> forged = made.entry.Bytes();
  forged.back() ^= 1;
  EXPECT_FALSE(ReadEntry(forged, self.recovery));
}

TEST(Parts, CoverTheBody) {
  for (const size_t size : {size_t{1}, kBodyPart - 1, kBodyPart, kBodyPart + 1, admission::kMaxConfigBody}) {
    const std::string body(size, 'x');
    std::string whole;
    for (uint32_t index = 0; index < PartCount(size); ++index) whole += PartOf(body, index);
    EXPECT_EQ(whole, body);
    EXPECT_TRUE(PartOf(body, PartCount(size)).empty());
    EXPECT_TRUE(PartOf(body, UINT32_MAX).empty());
  }
}

std::string AnyBody(size_t size) {
  std::mt19937 random(7);
  std::string body;
  while (body.size() < size) body.push_back(static_cast<char>('a' + random() % 26));
  return body;
}

TEST(BodyFetch, TakesPartsInAnyOrderAndOnce) {
  const std::string body = AnyBody(kBodyPart * 40 + 7);
  std::vector<uint32_t> order(PartCount(body.size()));
  for (uint32_t index = 0; index < order.size(); ++index) order[index] = index;
  std::ranges::shuffle(order, std::mt19937(3));
  BodyFetch fetch(DigestOf(body), static_cast<uint32_t>(body.size()), Node(1));
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), order[i], PartOf(body, order[i])));
    EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), order[i], PartOf(body, order[i])));
  }
  EXPECT_EQ(fetch.OnPart(At(0), DigestOf(body), order.back(), PartOf(body, order.back())), body);
}

TEST(BodyFetch, IgnoresWhatDoesNotFit) {
  const std::string body = AnyBody(kBodyPart + 5);
  BodyFetch fetch(DigestOf(body), static_cast<uint32_t>(body.size()), Node(1));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf("other"), 0, PartOf(body, 0)));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 2, PartOf(body, 0)));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), UINT32_MAX, PartOf(body, 0)));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 0, PartOf(body, 1)));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 1, PartOf(body, 0)));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 1, PartOf(body, 1)));
  EXPECT_EQ(fetch.OnPart(At(0), DigestOf(body), 0, PartOf(body, 0)), body);
}

TEST(BodyFetch, ABodyThatIsNotWhatItsDigestSaysIsTakenAnew) {
  const std::string body = AnyBody(kBodyPart * 2);
  BodyFetch fetch(DigestOf(body), static_cast<uint32_t>(body.size()), Node(1));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 0, PartOf(body, 0)));
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 1, PartOf(body, 0)));  // of the right size
  EXPECT_FALSE(fetch.OnPart(At(0), DigestOf(body), 1, PartOf(body, 1)));
  EXPECT_EQ(fetch.OnPart(At(0), DigestOf(body), 0, PartOf(body, 0)), body);
}

TEST(BodyFetch, AsksTheNextNodeWhenOneIsSilent) {
  const std::string body = AnyBody(kBodyPart * 20);
  BodyFetch fetch(DigestOf(body), static_cast<uint32_t>(body.size()), Node(1));
  const std::vector<NodeId> peers = {Node(1), Node(2), Node(3)};
  auto ask = fetch.Next(At(0), peers);
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->from, Node(1));
  EXPECT_EQ(ask->first, 0u);
  EXPECT_FALSE(fetch.Next(At(0) + kConfigPull - Milliseconds(1), peers));
  EXPECT_EQ(fetch.next_at(), At(0) + kConfigPull);
  for (uint32_t index = 0; index < kPartsAtOnce; ++index) {
    fetch.OnPart(At(10), DigestOf(body), index, PartOf(body, index));
  }
  ask = fetch.Next(At(10), peers);  // all that was asked for has come
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->from, Node(1));
  EXPECT_EQ(ask->first, kPartsAtOnce);
  std::vector<NodeId> asked;
  for (int64_t i = 1; i <= 3; ++i) asked.push_back(fetch.Next(At(10) + kConfigPull * i, peers)->from);
  std::ranges::sort(asked);
  EXPECT_EQ(asked.size(), static_cast<size_t>(std::unique(asked.begin(), asked.end()) - asked.begin())) << "each once";
}

}  // namespace
}  // namespace qure::clusterconfig::test
