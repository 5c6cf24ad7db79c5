// Interfaces that lead to no LAN are named, with what would be right.
#include "control/kernel/lan_interface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "tests/unit/kernel/support.h"

namespace qure {
namespace {

using namespace qure::testing;  // NOLINT: the namespace and what `ip` says of it
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FieldD10 : public NamespaceTest {
 protected:
  // /sys shows the interfaces of the network namespace in which it was mounted.
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    const bool mounted = unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0;
    if (!mounted) GTEST_SKIP() << "no /sys of its own: " << std::strerror(errno);
  }
};

TEST_F(FieldD10, ATunnelIsRefused) {
  for (const char* interface : {"lo", "tun9"}) {
    if (std::string(interface) == "tun9") Run("ip tuntap add tun9 mode tun");
    const absl::Status status = CheckLanInterface(interface).usable;
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << interface;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(interface), HasSubstr("Ethernet"))) << interface;
  }
}

TEST_F(FieldD10, ABridgeWithoutACardIsNamed) {
  Run("ip link add docker0 type bridge");
  Run("ip link set far0 master docker0");
  const LanCheck check = CheckLanInterface("docker0");
  EXPECT_TRUE(check.usable.ok());
  EXPECT_THAT(check.warnings, ElementsAre(AllOf(HasSubstr("docker0"), HasSubstr("bridge"))));
}

TEST_F(FieldD10, OrdinaryInterfacesAreFine) {
  for (const char* interface : {"lan0", "lan9"}) {
    const LanCheck check = CheckLanInterface(interface);
    EXPECT_TRUE(check.usable.ok()) << interface;
    EXPECT_THAT(check.warnings, IsEmpty()) << interface;
  }
}

}  // namespace
}  // namespace qure
