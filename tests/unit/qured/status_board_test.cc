#include "control/qured/status_board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace qure {
namespace {

ControllerStatus Takeover(uint64_t epoch, Cause cause, Duration took) {
  ControllerStatus status;
  status.last_takeover = TakeoverRecord{.term = {1, epoch, 7}, .cause = cause, .took = took};
  return status;
}

TEST(StatusBoard, PublishesWhatTheControlThreadSet) {
  StatusBoard board;
  board.latest().name = "n1";
  EXPECT_EQ(board.Published().name, "");
  board.Update({});
  EXPECT_EQ(board.Published().name, "n1");
}

TEST(StatusBoard, CountsEachTakeoverOnce) {
  StatusBoard board;
  board.Update(Takeover(1, Cause::kSilence, Milliseconds(7)));
  board.Update(Takeover(1, Cause::kSilence, Milliseconds(7)));
  board.Update(Takeover(2, Cause::kElected, Milliseconds(9)));
  EXPECT_EQ(board.Published().takeovers.count(), 2u);
  EXPECT_EQ(board.Published().takeovers.sum(), Milliseconds(16));
}

TEST(StatusBoard, AFirstMasterIsNoTakeover) {
  StatusBoard board;
  board.Update(Takeover(1, Cause::kFirst, Milliseconds(7)));
  EXPECT_EQ(board.Published().takeovers.count(), 0u);
}

TEST(StatusBoard, IsReadWhileItChanges) {
  StatusBoard board;
  std::atomic<bool> over = false;
  std::thread reader([&] {
    uint64_t before = 0;
    while (!over) {
      const uint64_t count = board.Published().takeovers.count();
      EXPECT_GE(count, before);
      before = count;
    }
  });
  for (uint64_t epoch = 1; epoch <= 1000; ++epoch) board.Update(Takeover(epoch, Cause::kSilence, Milliseconds(1)));
  over = true;
  reader.join();
  board.Update({});
  EXPECT_EQ(board.Published().takeovers.count(), 1000u);
}

}  // namespace
}  // namespace qure
