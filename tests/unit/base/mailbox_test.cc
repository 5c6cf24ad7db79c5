#include "control/base/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace qure {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

template <typename T>
bool Readable(const Mailbox<T>& mailbox) {
  pollfd ready{mailbox.fd(), POLLIN, 0};
  return poll(&ready, 1, 0) > 0;
}

TEST(MailboxTest, TakesInTheOrderOfPut) {
  Mailbox<int> mailbox;
  for (const int item : {1, 2, 3}) mailbox.Put(item);
  EXPECT_THAT(mailbox.Take(), ElementsAre(1, 2, 3));
  EXPECT_THAT(mailbox.Take(), IsEmpty());
}

TEST(MailboxTest, IsReadableWhileItemsWait) {
  Mailbox<int> mailbox;
  EXPECT_FALSE(Readable(mailbox));
  mailbox.Put(1);
  mailbox.Put(2);
  EXPECT_TRUE(Readable(mailbox));
  mailbox.Take();
  EXPECT_FALSE(Readable(mailbox));
  mailbox.Put(3);
  EXPECT_TRUE(Readable(mailbox));
}

TEST(MailboxTest, HoldsItemsThatCannotBeCopied) {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.Put(std::make_unique<int>(7));
  const std::vector<std::unique_ptr<int>> items = mailbox.Take();
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(*items[0], 7);
}

TEST(MailboxTest, AwaitReturnsAfterAPut) {
  Mailbox<int> mailbox;
  std::thread sender([&] { mailbox.Put(1); });
  EXPECT_THAT(mailbox.Await(), ElementsAre(1));
  sender.join();
}

TEST(MailboxTest, CloseEndsAwait) {
  Mailbox<int> mailbox;
  std::thread closer([&] { mailbox.Close(); });
  EXPECT_THAT(mailbox.Await(), IsEmpty());
  closer.join();
  EXPECT_THAT(mailbox.Await(), IsEmpty());
  EXPECT_TRUE(mailbox.closed());
}

TEST(MailboxTest, WhatWasPutBeforeCloseIsTaken) {
  Mailbox<int> mailbox;
  mailbox.Put(1);
  mailbox.Close();
  EXPECT_THAT(mailbox.Await(), ElementsAre(1));
  EXPECT_THAT(mailbox.Await(), IsEmpty());
}

// No item is lost or doubled, and each sender's items keep their order.
TEST(MailboxTest, ManySendersOneReceiver) {
  constexpr int kSenders = 4;
  constexpr int kItems = 2'000;
  Mailbox<std::pair<int, int>> mailbox;
  std::vector<std::thread> senders;
  senders.reserve(kSenders);
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&mailbox, sender] {
      for (int item = 0; item < kItems; ++item) mailbox.Put({sender, item});
    });
  }
  std::vector<int> next(kSenders, 0);
  for (int taken = 0; taken < kSenders * kItems;) {
    for (const auto& [sender, item] : mailbox.Await()) {
      EXPECT_EQ(item, next[sender]++);
      ++taken;
    }
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_THAT(mailbox.Take(), IsEmpty());
}

}  // namespace
}  // namespace qure
