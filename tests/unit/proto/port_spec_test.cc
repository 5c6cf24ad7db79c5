#include "proto/port_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace qure {
namespace {

using ::testing::HasSubstr;

TEST(PortSpecTest, ReadsEachKindAndWritesItBack) {
  const struct {
    const char* text;
    PortKind kind;
    const char* argument;
    const char* interface;
  } kCases[] = {
      {"af_packet:eth0", PortKind::kAfPacket, "eth0", "eth0"},
      {"af_packet:br-lan.10", PortKind::kAfPacket, "br-lan.10", "br-lan.10"},
      {"af_xdp:enp1s0", PortKind::kAfXdp, "enp1s0", "enp1s0"},
      {"tap:fifteen-letters", PortKind::kTap, "fifteen-letters", ""},
      {"pci:0000:01:00.0", PortKind::kPci, "0000:01:00.0", ""},
      {"pci:0000:AF:00.1", PortKind::kPci, "0000:af:00.1", ""},
      {"vdev:net_memif0,role=client,socket=/run/m.sock", PortKind::kVdev, "net_memif0,role=client,socket=/run/m.sock",
       ""},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    const absl::StatusOr<PortSpec> spec = ParsePortSpec(c.text);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->kind, c.kind);
    EXPECT_EQ(spec->argument, c.argument);
    EXPECT_EQ(spec->interface(), c.interface);
    EXPECT_EQ(ParsePortSpec(ToString(*spec))->argument, c.argument);
    EXPECT_EQ(ParsePortSpec(ToString(*spec))->kind, c.kind);
  }
}

TEST(PortSpecTest, GivesAPciAddressItsDomain) {
  const absl::StatusOr<PortSpec> spec = ParsePortSpec("pci:01:00.0");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(ToString(*spec), "pci:0000:01:00.0");
}

TEST(PortSpecTest, RefusesWithTheReasonAndAnExample) {
  const struct {
    const char* text;
    const char* reason;
    const char* example;
  } kCases[] = {
      {"", "must begin with one of pci:, af_packet:, af_xdp:, tap:, vdev:", "af_packet:eth0"},
      {"eth0", "must begin with one of", "af_packet:eth0"},
      {"afpacket:eth0", "must begin with one of", "af_packet:eth0"},
      {"af_packet", "must begin with one of", "af_packet:eth0"},
      {"af_packet:", "\"\" is not an interface name", "af_packet:eth0"},
      {"af_packet:sixteen-letters-", "is not an interface name of at most 15 characters", "af_packet:eth0"},
      {"af_packet:eth0,qpairs=9", "is not an interface name", "af_packet:eth0"},
      {"af_xdp:et h0", "is not an interface name", "af_xdp:eth0"},
      {"tap:a/b", "is not an interface name", "tap:qlan0"},
      {"tap:..", "is not an interface name", "tap:qlan0"},
      {"pci:eth0", "is not a PCI address", "pci:0000:01:00.0"},
      {"pci:0000:01:00", "is not a PCI address", "pci:0000:01:00.0"},
      {"pci:0000:01:00.0,x=1", "is not a PCI address", "pci:0000:01:00.0"},
      {"vdev:memif0", "is not a DPDK virtual device", "vdev:net_memif0,role=client"},
      {"vdev:net_,role=client", "is not a DPDK virtual device", "vdev:net_memif0,role=client"},
      {"vdev:net_memif0, role=client", "is not a DPDK virtual device", "vdev:net_memif0,role=client"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.text);
    const absl::StatusOr<PortSpec> spec = ParsePortSpec(c.text);
    ASSERT_FALSE(spec.ok());
    const std::string message(spec.status().message());
    EXPECT_THAT(message, HasSubstr(c.reason));
    EXPECT_THAT(message, HasSubstr(c.example));
  }
}

}  // namespace
}  // namespace qure
