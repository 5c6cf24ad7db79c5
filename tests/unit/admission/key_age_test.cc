#include "control/core/admission/key_age.h"

#include <gtest/gtest.h>

#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

constexpr uint64_t kDay = 24 * 3600 * 1000;

// Of a key that was made at this uptime of the cluster.
Session MadeAt(uint64_t uptime_ms) {
  Session session;
  session.head.uptime_ms = uptime_ms;
  return session;
}

bool IsDue(const Session& used, const RecordSet& records, uint64_t uptime_ms, bool whole) {
  return IsDueForChange(used, records, ViewOf(records), uptime_ms, whole);
}

TEST(KeyAge, AWeekIfAllArePresentAMonthOtherwise) {
  const RecordSet records = SetOf({AdmitRecord(1, 2)});
  const Session used = MadeAt(kDay);
  EXPECT_FALSE(IsDue(used, records, 8 * kDay - 1, true));
  EXPECT_TRUE(IsDue(used, records, 8 * kDay, true));
  EXPECT_FALSE(IsDue(used, records, 8 * kDay, false));
  EXPECT_FALSE(IsDue(used, records, 31 * kDay - 1, false));
  EXPECT_TRUE(IsDue(used, records, 31 * kDay, false));
  EXPECT_FALSE(IsDue(used, records, 0, true)) << "made in another life of the cluster";
}

// LeaveRecord is of uptime 3.
TEST(KeyAge, AfterAMemberHasLeft) {
  const RecordSet left = SetOf({AdmitRecord(1, 2), LeaveRecord(2)});
  EXPECT_TRUE(IsDue(MadeAt(2), left, 5, false));
  EXPECT_FALSE(IsDue(MadeAt(3), left, 5, false)) << "it does not have this one";
  EXPECT_FALSE(IsDue(MadeAt(2), SetOf({AdmitRecord(1, 2)}), 5, false));
  EXPECT_FALSE(IsDue(MadeAt(2), SetOf({LeaveRecord(2)}), 5, false)) << "it never was a member";
}

}  // namespace
}  // namespace qure::admission::test
