// Each message fits a datagram, is read as it was written, and is refused where it is unsound.
#include "control/core/config/wire.h"

#include <gtest/gtest.h>

#include <functional>

#include "control/core/cluster/transport.h"
#include "tests/unit/cluster_config/support.h"

namespace qure::clusterconfig::test {
namespace {

Finding LongestFinding() {
  return {.where = std::string(kMaxFindingText, 'w'),
          .reason = std::string(kMaxFindingText, 'r'),
          .remedy = std::string(kMaxFindingText, 'm')};
}
Version Greatest() {
  return {.term = {.era = UINT32_MAX, .epoch = UINT64_MAX, .holder = UINT64_MAX}, .n = UINT64_MAX, .check = UINT64_MAX};
}
MapMessage LongestMap() {
  MapMessage map{.rest = UINT64_MAX};
  map.entries.assign(kMapEntries,
                     {.version = Greatest(), .stage = Stage::kConfirmed, .left_ms = admission::kMaxConfirmTimeoutMs});
  return map;
}

// The longest of each kind.
std::vector<Message> All() {
  const Made made = Make(1);
  const auto confirm = ConfirmationOf(made.version(), Head(), KeyOf(1)).Bytes();
  return {ForwardMessage{.id = UINT64_MAX,
                         .body = DigestOf("x"),
                         .size = admission::kMaxConfigBody,
                         .timeout_ms = admission::kMaxConfirmTimeoutMs,
                         .canary = false,
                         .dry_run = true,
                         .by = std::string(kMaxBy, 'b'),
                         .base = Greatest()},
          ForwardMessage{.id = 1, .body = DigestOf("x"), .size = 1},
          AnswerMessage{.id = UINT64_MAX, .version = Greatest(), .node = Node(2), .refusal = LongestFinding()},
          AnswerMessage{.id = 1, .version = Greatest()},
          PrepareMessage{.entry = made.entry.Bytes(), .dry_run = true},
          VoteMessage{.version = Greatest(), .objection = LongestFinding()},
          VoteMessage{.version = Greatest()},
          TrialMessage{.version = Greatest()},
          CheckedMessage{.version = Greatest(), .objection = LongestFinding()},
          OpenMessage{.version = Greatest(), .left_ms = admission::kMaxConfirmTimeoutMs},
          ConfirmedMessage{.confirm = confirm},
          AbortMessage{.version = Greatest()},
          LongestMap(),
          MapMessage{},
          PullRestMessage{},
          PullEntryMessage{.version = Greatest()},
          PullBodyMessage{.body = DigestOf("x"), .first = 255},
          EntryMessage{.entry = made.entry.Bytes(), .confirm = confirm},
          EntryMessage{.entry = made.entry.Bytes()},
          PartMessage{.body = DigestOf("x"), .index = 255, .part = std::string(kBodyPart, 'p')}};
}

TEST(ConfigWire, EachMessageFitsADatagramAndIsReadAsItWasWritten) {
  for (const Message& message : All()) {
    wire::Message out;
    Write(message, &out);
    EXPECT_LE(out.ByteSizeLong(), kMaxMessage) << message.index();
    wire::Message in;
    ASSERT_TRUE(in.ParseFromString(out.SerializeAsString()));
    const std::optional<Message> read = Read(in);
    ASSERT_TRUE(read) << message.index();
    EXPECT_EQ(*read, message) << message.index();
  }
}

TEST(ConfigWire, OtherMessagesAreNotRead) {
  wire::Message other;
  EXPECT_EQ(Read(other), std::nullopt);
  other.mutable_ping()->set_nonce(1);
  EXPECT_EQ(Read(other), std::nullopt);
  other.mutable_config_pull();
  EXPECT_EQ(Read(other), std::nullopt) << "pulls nothing";
}

TEST(ConfigWire, WhatIsTooLongIsCutBetweenCharacters) {
  Finding finding = LongestFinding();
  finding.reason = std::string(kMaxFindingText - 1, 'r') + "\xc3\xa4 and more";
  wire::Message out;
  Write(VoteMessage{.objection = finding}, &out);
  const auto read = Read(out);
  ASSERT_TRUE(read);
  EXPECT_EQ(std::get<VoteMessage>(*read).objection->reason, std::string(kMaxFindingText - 1, 'r'));
}

using Harm = std::vector<std::function<void(wire::Message*)>>;
void ExpectRefused(const Harm& harm) {
  for (size_t i = 0; i < harm.size(); ++i) {
    wire::Message message;
    harm[i](&message);
    EXPECT_EQ(Read(message), std::nullopt) << i;
  }
}

TEST(ConfigWire, UnsoundVerdictsAndRecordsAreRefused) {
  ExpectRefused({
      [](wire::Message* m) { m->mutable_config_trial()->set_version(std::string(35, 'v')); },
      [](wire::Message* m) { m->mutable_config_abort()->set_version(std::string(37, 'v')); },
      [](wire::Message* m) { m->mutable_config_open(); },
      [](wire::Message* m) {
        Write(OpenMessage{}, m);
        m->mutable_config_open()->set_left_ms(admission::kMaxConfirmTimeoutMs + 1);
      },
      [](wire::Message* m) {
        Write(VoteMessage{.objection = Finding{}}, m);
        m->mutable_config_vote()->mutable_objection()->set_where(std::string(kMaxFindingText + 1, 'w'));
      },
      [](wire::Message* m) {
        Write(CheckedMessage{.objection = Finding{}}, m);
        m->mutable_config_checked()->mutable_objection()->set_remedy(std::string(kMaxFindingText + 1, 'w'));
      },
      [](wire::Message* m) { m->mutable_config_prepare(); },
      [](wire::Message* m) { m->mutable_config_prepare()->set_entry(std::string(301, 'e')); },
      [](wire::Message* m) { m->mutable_config_confirmed(); },
      [](wire::Message* m) { m->mutable_config_entry()->set_confirm("c"); },
  });
}

TEST(ConfigWire, UnsoundMapsPullsPartsAndForwardsAreRefused) {
  ExpectRefused({
      [](wire::Message* m) {
        Write(LongestMap(), m);
        m->mutable_config_map()->add_entries()->CopyFrom(m->config_map().entries(0));
      },
      [](wire::Message* m) {
        Write(LongestMap(), m);
        m->mutable_config_map()->mutable_entries(3)->set_stage(5);
      },
      [](wire::Message* m) {
        Write(LongestMap(), m);
        m->mutable_config_map()->mutable_entries(3)->set_stage(0);
      },
      [](wire::Message* m) {
        Write(LongestMap(), m);
        m->mutable_config_map()->mutable_entries(3)->clear_version();
      },
      [](wire::Message* m) { m->mutable_config_pull()->set_version("v"); },
      [](wire::Message* m) { m->mutable_config_pull()->mutable_parts(); },
      [](wire::Message* m) {
        Write(PullBodyMessage{}, m);
        m->mutable_config_pull()->mutable_parts()->set_first(256);
      },
      [](wire::Message* m) {
        Write(PartMessage{}, m);
        m->mutable_config_part()->set_index(256);
      },
      [](wire::Message* m) {
        Write(PartMessage{}, m);
        m->mutable_config_part()->set_part(std::string(kBodyPart + 1, 'p'));
      },
      [](wire::Message* m) {
        Write(ForwardMessage{.size = 1}, m);
        m->mutable_config_forward()->set_size(0);
      },
      [](wire::Message* m) {
        Write(ForwardMessage{.size = 1}, m);
        m->mutable_config_forward()->set_size(admission::kMaxConfigBody + 1);
      },
      [](wire::Message* m) {
        Write(ForwardMessage{.size = 1}, m);
        m->mutable_config_forward()->set_by(std::string(kMaxBy + 1, 'b'));
      },
      [](wire::Message* m) {
        Write(ForwardMessage{.size = 1}, m);
        m->mutable_config_forward()->set_body("short");
      },
      [](wire::Message* m) {
        Write(AnswerMessage{}, m);
        m->mutable_config_answer()->set_node("short");
      },
  });
}

}  // namespace
}  // namespace qure::clusterconfig::test
