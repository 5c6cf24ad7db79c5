#include "proto/port_spec.h"

#include <algorithm>
#include <array>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace qure {
namespace {

constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ without its zero

struct KindInfo {
  PortKind kind;
  const char* prefix;
  const char* example;
};
constexpr std::array<KindInfo, 5> kKinds = {{
    {PortKind::kPci, "pci", "pci:0000:01:00.0"},
    {PortKind::kAfPacket, "af_packet", "af_packet:eth0"},
    {PortKind::kAfXdp, "af_xdp", "af_xdp:eth0"},
    {PortKind::kTap, "tap", "tap:qlan0"},
    {PortKind::kVdev, "vdev", "vdev:net_memif0,role=client"},
}};

// "0000:01:00.0" of either form, in lower case; nullopt if `text` is neither.
std::optional<std::string> PciAddress(std::string_view text) {
  constexpr std::string_view kPattern = "xxxx:xx:xx.x";
  std::string address = absl::AsciiStrToLower(std::string(text));
  if (address.size() == kPattern.size() - 5) address = absl::StrCat("0000:", address);
  const bool sound = std::equal(address.begin(), address.end(), kPattern.begin(), kPattern.end(), [](char c, char p) {
    return p == 'x' ? absl::ascii_isxdigit(static_cast<unsigned char>(c)) : c == p;
  });
  if (!sound) return std::nullopt;
  return address;
}

// A virtual device: its name, then its arguments, without white space.
bool IsVdev(std::string_view text) {
  return text.starts_with("net_") && text.size() > 4 && text[4] != ',' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
}

std::string Kinds() {
  std::string all;
  for (const KindInfo& info : kKinds) absl::StrAppend(&all, all.empty() ? "" : ", ", info.prefix, ":");
  return all;
}

}  // namespace

bool IsInterfaceName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxInterfaceName && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isgraph(c) && c != '/' && c != ':' && c != ','; });
}

absl::StatusOr<PortSpec> ParsePortSpec(std::string_view text) {
  const size_t colon = text.find(':');
  const std::string quoted = absl::StrCat("port \"", std::string(text), "\"");
  const auto info =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const KindInfo& k) { return text.substr(0, colon) == k.prefix; });
  if (colon == std::string_view::npos || info == kKinds.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(quoted, " must begin with one of ", Kinds(), " as in \"af_packet:eth0\""));
  }
  PortSpec spec{info->kind, std::string(text.substr(colon + 1))};
  bool sound = false;
  switch (spec.kind) {
    case PortKind::kPci:
      if (std::optional<std::string> address = PciAddress(spec.argument)) {
        spec.argument = *std::move(address);
        sound = true;
      }
      break;
    case PortKind::kAfPacket:
    case PortKind::kAfXdp:
    case PortKind::kTap:
      sound = IsInterfaceName(spec.argument);
      break;
    case PortKind::kVdev:
      sound = IsVdev(spec.argument);
      break;
  }
  if (sound) return spec;
  constexpr std::array<const char*, 3> kWanted = {"a PCI address", "an interface name of at most 15 characters",
                                                  "a DPDK virtual device net_…"};
  const size_t wanted = spec.kind == PortKind::kPci ? 0 : spec.kind == PortKind::kVdev ? 2 : 1;
  return absl::InvalidArgumentError(
      absl::StrCat(quoted, ": \"", spec.argument, "\" is not ", kWanted[wanted], ", as in \"", info->example, "\""));
}

std::string ToString(const PortSpec& spec) {
  const auto info = std::find_if(kKinds.begin(), kKinds.end(), [&](const KindInfo& k) { return k.kind == spec.kind; });
  return absl::StrCat(info->prefix, ":", spec.argument);
}

}  // namespace qure
