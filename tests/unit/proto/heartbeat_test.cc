#include "proto/cluster/heartbeat.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

Heartbeat Sample() {
  return {.kind = HeartbeatKind::kAck,
          .binding = true,
          .ready = true,
          .to = {0xa0, 0xa1},
          .term = {3, 0x0102030405060708, 0x1112131415161718},
          .sequence = 0x2122232425262728,
          .sent_at = {0x3132333435363738},
          .lease = Milliseconds(15),
          .control_liveness = 0x4142434445464748,
          .wanted_lease = Milliseconds(20)};
}

Bytes Write(const Heartbeat& heartbeat) {
  Bytes bytes(kHeartbeatSize, 0xee);
  WriteHeartbeat(heartbeat, std::span<uint8_t, kHeartbeatSize>(bytes));
  return bytes;
}

std::optional<Heartbeat> ReadWith(size_t offset, const Bytes& change) {
  Bytes bytes = Write(Sample());
  std::ranges::copy(change, bytes.begin() + static_cast<ptrdiff_t>(offset));
  return ReadHeartbeat(bytes);
}

TEST(Heartbeat, LayoutDoesNotChange) {
  EXPECT_EQ(Write(Sample()), Hex("02 03 0000 00000003 a0a10000000000000000000000000000"
                                 "0102030405060708 1112131415161718 2122232425262728 3132333435363738"
                                 "0000000000e4e1c0 4142434445464748 0000000001312d00"));
}

TEST(Heartbeat, ReadsWhatWasWritten) {
  for (const bool binding : {false, true}) {
    for (const bool ready : {false, true}) {
      for (const HeartbeatKind kind : {HeartbeatKind::kRequest, HeartbeatKind::kAck}) {
        Heartbeat written = Sample();
        written.kind = kind;
        written.binding = binding;
        written.ready = ready;
        const auto read = ReadHeartbeat(Write(written));
        ASSERT_TRUE(read);
        EXPECT_EQ(read->kind, kind);
        EXPECT_EQ(read->binding, binding);
        EXPECT_EQ(read->ready, ready);
        EXPECT_EQ(Write(*read), Write(written));  // and all the rest
      }
    }
  }
}

TEST(Heartbeat, Length) {
  Bytes bytes = Write(Sample());
  for (size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(ReadHeartbeat(Prefix(bytes, length))) << length;
  bytes.push_back(0);
  EXPECT_FALSE(ReadHeartbeat(bytes));
}

TEST(Heartbeat, RefusesWhatCannotBe) {
  EXPECT_FALSE(ReadWith(0, Hex("00")));  // kind
  EXPECT_FALSE(ReadWith(0, Hex("03")));
  EXPECT_FALSE(ReadWith(1, Hex("04")));  // flags
  EXPECT_FALSE(ReadWith(2, Hex("0001")));
  const size_t sent_at = 48, lease = 56, wanted = 72;
  EXPECT_FALSE(ReadWith(lease, Hex("0000000000000000")));
  EXPECT_TRUE(ReadWith(lease, Hex("0000000000000001")));
  EXPECT_TRUE(ReadWith(lease, Hex("00000002540be400")));  // 10 s
  EXPECT_FALSE(ReadWith(lease, Hex("00000002540be401")));
  EXPECT_FALSE(ReadWith(lease, Hex("ffffffffffffffff")));
  EXPECT_TRUE(ReadWith(wanted, Hex("0000000000000000")));  // heartbeats want nothing
  EXPECT_FALSE(ReadWith(wanted, Hex("00000002540be401")));
  EXPECT_FALSE(ReadWith(wanted, Hex("ffffffffffffffff")));
  // Arithmetic with a time near the end would overflow.
  EXPECT_FALSE(ReadWith(sent_at, Hex("7fffffffffffffff")));
  EXPECT_FALSE(ReadWith(sent_at, Hex("8000000000000000")));
  EXPECT_TRUE(ReadWith(sent_at, Hex("3fffffffffffffff")));
}

}  // namespace
}  // namespace qure
