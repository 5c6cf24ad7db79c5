#include "dataplane/publisher.h"

#include <gtest/gtest.h>

#include <memory>

namespace qure {
namespace {

std::shared_ptr<Snapshot> Numbered(uint64_t revision) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->revision = revision;
  snapshot->IndexMacs();
  return snapshot;
}

TEST(PublisherTest, NothingIsCurrentBeforeTheFirst) {
  Publisher publisher(1);
  EXPECT_EQ(publisher.current(), nullptr);
}

TEST(PublisherTest, TheNewestIsCurrent) {
  Publisher publisher(1);
  publisher.Publish(Numbered(1));
  EXPECT_EQ(publisher.current()->revision, 1U);
  publisher.Publish(Numbered(2));
  EXPECT_EQ(publisher.current()->revision, 2U);
}

TEST(PublisherTest, AnOldOneLivesUntilEveryReaderHasBeenQuiescent) {
  Publisher publisher(2);
  publisher.Online(0);
  publisher.Online(1);
  std::shared_ptr<Snapshot> first = Numbered(1);
  const std::weak_ptr<Snapshot> watch = first;
  publisher.Publish(std::move(first));
  const Snapshot* const held = publisher.current();

  publisher.Publish(Numbered(2));
  publisher.Reclaim();
  ASSERT_FALSE(watch.expired());
  EXPECT_EQ(held->revision, 1U);
  EXPECT_EQ(publisher.retired(), 1U);

  publisher.Quiescent(0);
  publisher.Reclaim();
  EXPECT_FALSE(watch.expired()) << "reader 1 may still hold it";

  publisher.Quiescent(1);
  publisher.Reclaim();
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(publisher.retired(), 0U);
}

TEST(PublisherTest, QuiescenceBeforeThePublicationDoesNotCount) {
  Publisher publisher(1);
  publisher.Online(0);
  publisher.Publish(Numbered(1));
  publisher.Quiescent(0);
  publisher.Publish(Numbered(2));
  publisher.Reclaim();
  EXPECT_EQ(publisher.retired(), 1U);
}

TEST(PublisherTest, ReadersThatAreOfflineAreNotWaitedFor) {
  Publisher publisher(2);
  publisher.Online(0);
  publisher.Publish(Numbered(1));
  publisher.Offline(0);  // reader 1 never was online
  publisher.Publish(Numbered(2));
  EXPECT_EQ(publisher.retired(), 0U);

  publisher.Online(0);
  EXPECT_EQ(publisher.current()->revision, 2U);
  publisher.Publish(Numbered(3));
  EXPECT_EQ(publisher.retired(), 1U) << "it is waited for again";
}

TEST(PublisherTest, FreesTheCurrentOneAtTheEnd) {
  std::shared_ptr<Snapshot> snapshot = Numbered(1);
  const std::weak_ptr<Snapshot> watch = snapshot;
  {
    Publisher publisher(1);
    publisher.Publish(std::move(snapshot));
  }
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace qure
