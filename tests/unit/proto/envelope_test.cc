#include "proto/cluster/envelope.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

constexpr std::array<uint8_t, 16> Sixteen(uint8_t byte) {
  std::array<uint8_t, 16> bytes{};
  bytes.fill(byte);
  return bytes;
}

ClusterKey CountingKey() {
  ClusterKey key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<uint8_t>(i);
  return key;
}

const SessionKey kKey = DeriveSessionKey(CountingKey(), Sixteen(0xc1), Sixteen(0xa1), Sixteen(0xb1));
const Bytes kHello = Hex("68656c6c6f");

EnvelopeHeader Header() {
  EnvelopeHeader header{.magic = Be16(kEnvelopeMagic),
                        .version = kEnvelopeVersion,
                        .channel = static_cast<uint8_t>(Channel::kControl),
                        .key_id = Be32(7),
                        .sender = Sixteen(0xa1),
                        .boot = Sixteen(0xb1),
                        .counter = Be64(258),
                        .salt = {}};
  for (size_t i = 0; i < header.salt.size(); ++i) header.salt[i] = static_cast<uint8_t>(0xd0 + i);
  return header;
}

Bytes Sealed(const Bytes& plain = kHello) {
  Bytes sealed;
  Seal(kKey, Header(), plain, &sealed);
  return sealed;
}

// Computed apart from this code: BLAKE2b of Python's hashlib, and XChaCha20-Poly1305 written after
// draft-irtf-cfrg-xchacha-03, which gives the draft's own example (A.3.1).
TEST(Envelope, DoesNotChange) {
  EXPECT_EQ(Bytes(kKey.begin(), kKey.end()), Hex("84fa1bf2cc169aea9181fb986ee8f3837d61ce45fd1e62d30e7a9e3a1a5fb9b5"));
  EXPECT_EQ(Sealed(), Hex("5152 01 01 00000007"
                          "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1 b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
                          "0000000000000102 d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
                          "16670ab124 e8f982bccef3d7f5b70ca239e84d3a69"));
}

TEST(Envelope, KeyDependsOnEverything) {
  ClusterKey other = CountingKey();
  other[31] ^= 1;
  const std::set<SessionKey> keys = {kKey, DeriveSessionKey(other, Sixteen(0xc1), Sixteen(0xa1), Sixteen(0xb1)),
                                     DeriveSessionKey(CountingKey(), Sixteen(0xc2), Sixteen(0xa1), Sixteen(0xb1)),
                                     DeriveSessionKey(CountingKey(), Sixteen(0xc1), Sixteen(0xa2), Sixteen(0xb1)),
                                     DeriveSessionKey(CountingKey(), Sixteen(0xc1), Sixteen(0xa1), Sixteen(0xb2))};
  EXPECT_EQ(keys.size(), 5u);
}

TEST(Envelope, OpensToWhatWasSealed) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{80}, kMaxDatagram - kEnvelopeOverhead}) {
    const Bytes plain(size, 0x5a);
    const Bytes sealed = Sealed(plain);
    ASSERT_EQ(sealed.size(), kEnvelopeOverhead + size);
    const EnvelopeHeader* header = PeekEnvelope(sealed);
    ASSERT_NE(header, nullptr);
    EXPECT_EQ(header->counter.value(), 258u);
    Bytes opened(size);
    EXPECT_TRUE(Unseal(kKey, sealed, opened));
    EXPECT_EQ(opened, plain);
  }
}

TEST(Envelope, SealsIntoACallersBuffer) {
  Bytes buffer(kEnvelopeOverhead + kHello.size());
  SealInto(kKey, Header(), kHello, buffer);
  EXPECT_EQ(buffer, Sealed());
}

TEST(Envelope, EveryBitCounts) {
  const Bytes sealed = Sealed();
  Bytes opened(kHello.size());
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes changed = sealed;
    changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(Unseal(kKey, changed, opened)) << "bit " << bit;
  }
}

TEST(Envelope, TruncatedAtEveryByte) {
  const Bytes sealed = Sealed();
  for (size_t length = 0; length < sealed.size(); ++length) {
    const Bytes prefix = Prefix(sealed, length);
    EXPECT_EQ(PeekEnvelope(prefix) == nullptr, length < kEnvelopeOverhead) << length;
    Bytes opened(length < kEnvelopeOverhead ? 0 : length - kEnvelopeOverhead);
    EXPECT_FALSE(Unseal(kKey, prefix, opened)) << length;
  }
}

TEST(Envelope, OutputOfTheWrongSize) {
  Bytes opened(kHello.size() + 1);
  EXPECT_FALSE(Unseal(kKey, Sealed(), opened));
}

TEST(Envelope, PeekKnowsItsOwn) {
  const auto peeks = [](size_t offset, uint8_t value) {
    Bytes sealed = Sealed();
    sealed[offset] = value;
    return PeekEnvelope(sealed) != nullptr;
  };
  EXPECT_FALSE(peeks(0, 0x50));
  EXPECT_FALSE(peeks(2, 2));  // version
  EXPECT_FALSE(peeks(3, 0));
  EXPECT_TRUE(peeks(3, 2));  // the heartbeats' channel
  EXPECT_FALSE(peeks(3, 3));
}

TEST(ReplayWindow, EachCounterOnce) {
  ReplayWindow window;
  EXPECT_FALSE(window.Accept(0));
  EXPECT_TRUE(window.Accept(1));
  EXPECT_FALSE(window.Accept(1));
  EXPECT_TRUE(window.Accept(5));
  EXPECT_TRUE(window.Accept(3));
  EXPECT_FALSE(window.Accept(3));
  EXPECT_FALSE(window.Accept(5));
}

TEST(ReplayWindow, Edge) {
  constexpr uint64_t kSize = ReplayWindow::kSize;
  for (const uint64_t highest : {kSize, kSize + 1, 5 * kSize + 63, 5 * kSize + 64, ~uint64_t{0}}) {
    ReplayWindow window;
    EXPECT_TRUE(window.Accept(highest));
    EXPECT_FALSE(window.Accept(highest - kSize)) << highest;  // too old, or zero
    EXPECT_TRUE(window.Accept(highest - kSize + 1)) << highest;
    EXPECT_FALSE(window.Accept(highest - kSize + 1)) << highest;
  }
}

TEST(ReplayWindow, StartsAfter) {
  for (const uint64_t start : {uint64_t{0}, uint64_t{1}, uint64_t{63}, uint64_t{64}, uint64_t{100'000}}) {
    ReplayWindow window;
    window.StartAfter(start);
    for (uint64_t counter = start > 2000 ? start - 2000 : 0; counter <= start; ++counter) {
      ASSERT_FALSE(window.Accept(counter)) << start << " " << counter;
    }
    for (uint64_t counter = start + 3000; counter > start + 3000 - ReplayWindow::kSize; --counter) {
      ASSERT_TRUE(window.Accept(counter)) << start << " " << counter;
    }
  }
  ReplayWindow window;
  window.StartAfter(100);
  EXPECT_TRUE(window.Accept(101));
  window.StartAfter(50);  // never back
  EXPECT_FALSE(window.Accept(60));
  EXPECT_FALSE(window.Accept(101));
  EXPECT_TRUE(window.Accept(102));
}

// Against a window that remembers everything.
TEST(ReplayWindow, IsWhatItSays) {
  std::mt19937_64 random(1);
  ReplayWindow window;
  std::set<uint64_t> seen;
  uint64_t highest = 0;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t jump = random() % 100 == 0 ? 3000 : 300;
    const uint64_t low = highest > 1500 ? highest - 1500 : 0;
    const uint64_t counter = low + random() % (highest - low + jump);
    const bool old = counter + ReplayWindow::kSize <= highest;
    const bool fresh = counter > 0 && !old && seen.insert(counter).second;
    ASSERT_EQ(window.Accept(counter), fresh) << counter << " at " << highest;
    if (fresh) highest = std::max(highest, counter);
  }
}

}  // namespace
}  // namespace qure
