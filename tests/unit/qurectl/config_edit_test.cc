#include "control/qurectl/config_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/qurectl/qured.h"

namespace qure {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kOld[] = "[cluster]\ndefault = \"drop\"\n";
constexpr char kNew[] = "[cluster]\ndefault = \"kernel\"\n";
constexpr char kChange[] = "sed -i s/drop/kernel/";

class ConfigEditTest : public testing::Test {
 protected:
  void SetUp() override {
    if (isatty(STDIN_FILENO) != 0) GTEST_SKIP() << "it would ask at the terminal";
    qured_.Add(kOld);
    setenv("TMPDIR", directory_.path().c_str(), 1);
    unsetenv("VISUAL");
  }
  void TearDown() override {
    unsetenv("TMPDIR");
    unsetenv("VISUAL");
    unsetenv("EDITOR");
  }
  absl::StatusOr<nlohmann::ordered_json> EditBy(const std::string& editor, const json& proposal = json::object()) {
    setenv("EDITOR", editor.c_str(), 1);
    return ConfigEdit(qured_.socket(), proposal);
  }
  // The text of the files that were kept.
  std::vector<std::string> Kept() const {
    std::vector<std::string> kept;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_.path())) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path());
      kept.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return kept;
  }

  test::Qured qured_;
  TemporaryDirectory directory_;
};

TEST_F(ConfigEditTest, WhatIsSavedIsApplied) {
  const auto done = EditBy(kChange, {{"confirm", 90}, {"canary", false}, {"dry_run", false}});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(ConfigEditText(*done), HasSubstr("v9"));
  ASSERT_THAT(qured_.applied(), SizeIs(1));
  const json request = qured_.applied()[0];
  EXPECT_EQ(request["action"], "apply");
  EXPECT_EQ(request["text"], kNew);
  EXPECT_EQ(request["base"], "v1");
  EXPECT_EQ(request["confirm"], 90);
  EXPECT_EQ(request["canary"], false);
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(ConfigEditTest, VisualComesBeforeEditor) {
  setenv("VISUAL", kChange, 1);
  EXPECT_TRUE(EditBy("false").ok());
  EXPECT_THAT(qured_.applied(), SizeIs(1));
}

TEST_F(ConfigEditTest, UnchangedOrEmptyNothingIsDone) {
  for (const char* const editor : {"true", "truncate -s 0", "printf '\\n \\n' >"}) {
    const auto done = EditBy(editor);
    ASSERT_TRUE(done.ok()) << done.status();
    EXPECT_THAT(ConfigEditText(*done), HasSubstr("nothing is done")) << editor;
  }
  EXPECT_THAT(qured_.applied(), IsEmpty());
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(ConfigEditTest, RefusedItKeepsTheFile) {
  qured_.Refuse("config:2: cluster.default: is wrong; drop");
  const auto refused = EditBy(kChange);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("cluster.default"));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(directory_.path()));
  EXPECT_THAT(Kept(), testing::ElementsAre(kNew));
}

TEST_F(ConfigEditTest, WhatIsNoTomlIsKept) {
  const auto refused = EditBy("sed -i s/.cluster./[cluster/");
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("cluster.toml:1"));
  EXPECT_THAT(Kept(), SizeIs(1));
  EXPECT_THAT(qured_.applied(), IsEmpty());
}

TEST_F(ConfigEditTest, AnotherChangeMeanwhileIsNotReplaced) {
  qured_.Refuse("what is in effect has changed meanwhile");
  const std::string editing = directory_ / "editing";
  const std::string go_on = directory_ / "go_on";
  std::thread other([&] {
    while (!std::filesystem::exists(editing)) std::this_thread::yield();
    qured_.Add("[cluster]\n");
    std::ofstream(go_on) << "";
  });
  const auto refused = EditBy("touch " + editing + "; while ! [ -e " + go_on + " ]; do :; done; rm " + editing + " " +
                              go_on + "; " + kChange);
  other.join();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("config diff " + directory_.path()));
  EXPECT_THAT(Kept(), testing::ElementsAre(kNew));
}

TEST_F(ConfigEditTest, AnEditorThatFailsChangesNothing) {
  EXPECT_FALSE(EditBy("false").ok());
  EXPECT_THAT(Kept(), IsEmpty());
  EXPECT_FALSE(EditBy("/nowhere/editor").ok());
  const auto failed = EditBy("f() { " + std::string(kChange) + " \"$1\"; return 1; }; f");
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr(directory_.path()));
  EXPECT_THAT(Kept(), testing::ElementsAre(kNew));
  EXPECT_THAT(qured_.applied(), IsEmpty());
}

TEST_F(ConfigEditTest, WhatIsOnlyCheckedIsKept) {
  const auto done = EditBy(kChange, {{"dry_run", true}});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_THAT(ConfigEditText(*done), HasSubstr(directory_.path()));
  EXPECT_THAT(Kept(), testing::ElementsAre(kNew));
}

TEST(ConfigEdit, WithoutAConfigurationThereIsNothingToEdit) {
  test::Qured qured;
  EXPECT_EQ(ConfigEdit(qured.socket(), json::object()).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace qure
