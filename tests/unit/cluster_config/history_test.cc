// Which versions operators can look back at, and how they are numbered.
#include "control/core/config/history.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/cluster_config/support.h"

namespace qure::clusterconfig::test {
namespace {

// "2: 0 confirmed kept" for the second version of term 1.
std::vector<std::string> Shown(const OneNode& node) {
  std::vector<std::string> shown;
  for (const PastVersion& past : HistoryOf(node.config->holder().ledger())) {
    std::string line = std::to_string(past.version.n) + ": ";
    line += past.number ? std::to_string(*past.number) : "-";
    line += " " + std::string(NameOf(past.fate)) + (past.body ? " kept" : "");
    shown.push_back(line);
  }
  return shown;
}

void Confirm(OneNode* node, const Made& made) {
  node->HearMap(1, made, Stage::kConfirmed, 0, 1);
  node->GiveBody(made);
}

TEST(History, CountsBackFromWhatIsInEffect) {
  OneNode node;
  EXPECT_TRUE(Shown(node).empty());
  const Made first = Make(1, std::nullopt);
  const Made second = Make(2, std::nullopt, first.version());
  const Made third = Make(3, Seconds(10), second.version());
  Confirm(&node, first);
  Confirm(&node, second);
  node.Prepare(third);
  EXPECT_EQ(Shown(node), (std::vector<std::string>{"2: 0 confirmed kept", "1: 1 confirmed kept"})) << "prepared only";
  node.Hear(1, OpenMessage{.version = third.version(), .left_ms = 10'000});
  EXPECT_EQ(Shown(node), (std::vector<std::string>{"3: 0 open kept", "2: 1 confirmed kept", "1: 2 confirmed kept"}));
  node.Pass(Seconds(11));
  EXPECT_EQ(Shown(node),
            (std::vector<std::string>{"3: - rolled back kept", "2: 0 confirmed kept", "1: 1 confirmed kept"}));
}

TEST(History, WhatNeverRanWasGivenUp) {
  OneNode node;
  const Made first = Make(1, std::nullopt);
  const Made second = Make(2, Seconds(10), first.version());
  Confirm(&node, first);
  node.Prepare(second);
  node.Hear(1, AbortMessage{.version = second.version()});
  EXPECT_EQ(Shown(node), (std::vector<std::string>{"2: - given up kept", "1: 0 confirmed kept"}));
}

TEST(History, OneTextThatIsNumberedAnewIsOne) {
  OneNode node;
  const Made first = Make(1, std::nullopt, {}, 1, 1, "a");
  const Made second = Make(2, std::nullopt, first.version(), 1, 1, "b");
  const Made again = Make(3, std::nullopt, second.version(), 1, 1, "b");
  Confirm(&node, first);
  Confirm(&node, second);
  Confirm(&node, again);
  EXPECT_EQ(Shown(node),
            (std::vector<std::string>{"3: 0 confirmed kept", "2: 0 confirmed kept", "1: 1 confirmed kept"}));
  const Made back = Make(4, std::nullopt, again.version(), 1, 1, "a");
  Confirm(&node, back);
  EXPECT_EQ(Shown(node).back(), "1: 2 confirmed kept") << "it was in effect twice";
}

TEST(History, WhatWasMadeElsewhereIsLost) {
  OneNode node;
  const Made first = Make(1, std::nullopt);
  const Made here = Make(2, std::nullopt, first.version());
  const Made there = Make(3, std::nullopt, first.version());
  Confirm(&node, first);
  Confirm(&node, here);
  Confirm(&node, there);
  const std::vector<std::string> shown = {"3: 0 confirmed kept", "2: - lost kept", "1: 1 confirmed kept"};
  EXPECT_EQ(Shown(node), shown);
  node.Do([&](Actions* out) { node.config->Acknowledge(node.now, out); });
  EXPECT_EQ(Shown(node), shown) << "it stays in the history";
}

TEST(History, SaysOfWhichTheTextIsNotHere) {
  OneNode node;
  const Made first = Make(1, std::nullopt);
  const Made second = Make(2, std::nullopt, first.version());
  node.HearMap(1, first, Stage::kConfirmed, 0, 1);
  Confirm(&node, second);
  EXPECT_EQ(Shown(node), (std::vector<std::string>{"2: 0 confirmed kept", "1: 1 confirmed"}));
}

}  // namespace
}  // namespace qure::clusterconfig::test
