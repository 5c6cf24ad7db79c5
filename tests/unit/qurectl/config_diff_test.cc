#include "control/qurectl/config_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/qurectl/qured.h"

namespace qure {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(UnifiedDiff, NamesTheTextsByTheirLabels) {
  EXPECT_EQ(*UnifiedDiff({"old", "a\nb\n"}, {"new", "a\nc\n"}), "--- old\n+++ new\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
  EXPECT_EQ(*UnifiedDiff({"old", "a\n"}, {"new", "a\n"}), "");
}

TEST(ConfigDiff, IsFromAnEarlierTextToWhatIsInEffect) {
  test::Qured qured;
  for (const char* const text : {"a = 1\n", "a = 2\n", "a = 3\n"}) qured.Add(text);
  EXPECT_EQ(*ConfigDiff(qured.socket(), ""), "--- number 1, v2\n+++ in effect, v3\n@@ -1 +1 @@\n-a = 2\n+a = 3\n");
  EXPECT_THAT(*ConfigDiff(qured.socket(), "2"), AllOf(HasSubstr("-a = 1\n"), HasSubstr("+a = 3\n")));
  EXPECT_EQ(*ConfigDiff(qured.socket(), "0"), "");
  EXPECT_EQ(ConfigDiff(qured.socket(), "7").status().message(), "no number 7");
}

TEST(ConfigDiff, IsFromWhatIsInEffectToWhatWasLost) {
  test::Qured qured;
  qured.Add("a = 1\n");
  qured.Lose("v8", "a = 8\n");
  qured.Lose("v9", "a = 9\n");
  EXPECT_THAT(*ConfigDiff(qured.socket(), ""),
              AllOf(HasSubstr("--- in effect, v1\n+++ lost, v8\n"), HasSubstr("+a = 8\n"), HasSubstr("+a = 9\n")));
}

TEST(ConfigDiff, IsToWhatAFileSaysOfTheCluster) {
  test::Qured qured;
  const TemporaryDirectory directory;
  const std::string path = directory / "new.toml";
  std::ofstream(path) << "[node]\nname = \"n1\"\n[cluster]\ndefault = \"drop\"\n";
  qured.Add("\n\n[cluster]\ndefault = \"kernel\"\n");
  EXPECT_THAT(*ConfigDiff(qured.socket(), path), AllOf(HasSubstr("+++ " + path), HasSubstr("-default = \"kernel\"\n"),
                                                       HasSubstr("+default = \"drop\"\n"), Not(HasSubstr("n1"))));
  EXPECT_FALSE(ConfigDiff(qured.socket(), directory / "none").ok());
}

TEST(ConfigDiff, WithoutAConfigurationOrAQuredThereIsNone) {
  test::Qured qured;
  EXPECT_EQ(ConfigDiff(qured.socket(), "").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ConfigDiff("/nowhere/socket", "").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace qure
