#include "control/kernel/setting.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "control/base/fd.h"
#include "control/base/text.h"
#include "control/kernel/sysctl.h"

namespace qure {
namespace {

constexpr std::pair<std::string_view, short> kFlags[] = {
    {"up", IFF_UP}, {"noarp", IFF_NOARP}, {"promisc", IFF_PROMISC}};

std::string Bit(bool on) {
  return on ? "1" : "0";
}

// What the kernel shows and changes of one interface by ioctl.
class Interface {
 public:
  explicit Interface(const std::string& name) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request_.ifr_name, IFNAMSIZ - 1);
  }

  std::optional<std::string> ReadFlag(std::string_view name) {
    if (ioctl(socket_.get(), SIOCGIFFLAGS, &request_) != 0) return std::nullopt;
    return Bit((request_.ifr_flags & MaskOf(name)) != 0);
  }
  bool WriteFlag(std::string_view name, bool on) {
    if (ioctl(socket_.get(), SIOCGIFFLAGS, &request_) != 0) return false;
    const int flags = on ? request_.ifr_flags | MaskOf(name) : request_.ifr_flags & ~MaskOf(name);
    request_.ifr_flags = static_cast<short>(flags);
    return ioctl(socket_.get(), SIOCSIFFLAGS, &request_) == 0;
  }

  std::optional<std::string> ReadOffload(std::string_view name) {
    const std::optional<uint32_t> bit = FeatureBit(name);
    if (!bit) return std::nullopt;
    auto* const features = GetFeatures(*bit);
    if (features == nullptr) return std::nullopt;
    const ethtool_get_features_block& block = features->features[*bit / 32];
    const uint32_t mask = 1U << *bit % 32;
    if ((block.available & mask) == 0 || (block.never_changed & mask) != 0) return std::nullopt;
    return Bit((block.active & mask) != 0);
  }
  bool WriteOffload(std::string_view name, bool on) {
    const std::optional<uint32_t> bit = FeatureBit(name);
    if (!bit) return false;
    auto* const change = Room<ethtool_sfeatures>(BlockCount() * sizeof(ethtool_set_features_block));
    change->cmd = ETHTOOL_SFEATURES;
    change->size = BlockCount();
    change->features[*bit / 32] = {.valid = 1U << *bit % 32, .requested = on ? 1U << *bit % 32 : 0};
    return Ethtool(change);
  }

  std::optional<std::string> ReadQueues() {
    ethtool_channels channels = {};
    if (!GetChannels(&channels)) return std::nullopt;
    return Concat(Receiving(&channels));
  }
  bool WriteQueues(uint32_t count) {
    ethtool_channels channels = {};
    if (!GetChannels(&channels)) return false;
    Receiving(&channels) = count;
    channels.cmd = ETHTOOL_SCHANNELS;
    return Ethtool(&channels);
  }

 private:
  static constexpr uint32_t kNameLength = ETH_GSTRING_LEN;

  static int MaskOf(std::string_view name) {
    for (const auto& [known, mask] : kFlags) {
      if (known == name) return mask;
    }
    return 0;
  }

  static uint32_t& Receiving(ethtool_channels* channels) {
    return channels->max_combined > 0 ? channels->combined_count : channels->rx_count;
  }
  bool GetChannels(ethtool_channels* channels) {
    channels->cmd = ETHTOOL_GCHANNELS;
    return Ethtool(channels);
  }

  // How many features the kernel knows, by the set of their names.
  uint32_t FeatureCount() {
    auto* const info = Room<ethtool_sset_info>(sizeof(uint32_t));
    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = 1ULL << ETH_SS_FEATURES;
    return Ethtool(info) && info->sset_mask != 0 ? info->data[0] : 0;
  }
  uint32_t BlockCount() const { return (features_ + 31) / 32; }

  std::optional<uint32_t> FeatureBit(std::string_view name) {
    features_ = FeatureCount();
    if (features_ == 0) return std::nullopt;
    auto* const names = Room<ethtool_gstrings>(size_t{features_} * kNameLength);
    names->cmd = ETHTOOL_GSTRINGS;
    names->string_set = ETH_SS_FEATURES;
    names->len = features_;
    if (!Ethtool(names)) return std::nullopt;
    for (uint32_t i = 0; i < features_; ++i) {
      const char* const text = reinterpret_cast<const char*>(names->data) + size_t{i} * kNameLength;
      if (name == std::string_view(text, strnlen(text, kNameLength))) return i;
    }
    return std::nullopt;
  }
  ethtool_gfeatures* GetFeatures(uint32_t bit) {
    auto* const features = Room<ethtool_gfeatures>(BlockCount() * sizeof(ethtool_get_features_block));
    features->cmd = ETHTOOL_GFEATURES;
    features->size = BlockCount();
    return Ethtool(features) && bit / 32 < features->size ? features : nullptr;
  }

  // A zeroed command with so many bytes behind it; valid until the next.
  template <typename T>
  T* Room(size_t behind) {
    room_.assign((sizeof(T) + behind + 2 * sizeof(uint64_t)) / sizeof(uint64_t) + 4, 0);
    return reinterpret_cast<T*>(room_.data());
  }

  template <typename T>
  bool Ethtool(T* command) {
    request_.ifr_data = reinterpret_cast<char*>(command);
    return ioctl(socket_.get(), SIOCETHTOOL, &request_) >= 0;
  }

  const Fd socket_;
  ifreq request_ = {};
  uint32_t features_ = 0;
  std::vector<uint64_t> room_;
};

bool Write(const KernelSetting& setting, std::string_view value) {
  Interface interface(setting.interface);
  switch (setting.kind) {
    case KernelSetting::Kind::kSysctl:
      return WriteSysctl(setting.name, value).ok();
    case KernelSetting::Kind::kFlag:
      return interface.WriteFlag(setting.name, value == "1");
    case KernelSetting::Kind::kOffload:
      return interface.WriteOffload(setting.name, value == "1");
    case KernelSetting::Kind::kQueues:
      return interface.WriteQueues(ParseUnsigned(value).value_or(1));
  }
  return false;
}

}  // namespace

KernelSetting Sysctl(std::string path) {
  return {KernelSetting::Kind::kSysctl, "", std::move(path)};
}
KernelSetting LinkFlag(std::string interface, std::string name) {
  return {KernelSetting::Kind::kFlag, std::move(interface), std::move(name)};
}
KernelSetting Offload(std::string interface, std::string name) {
  return {KernelSetting::Kind::kOffload, std::move(interface), std::move(name)};
}
KernelSetting ReceiveQueues(std::string interface) {
  return {KernelSetting::Kind::kQueues, std::move(interface), "receive"};
}

std::string ToString(const KernelSetting& setting) {
  switch (setting.kind) {
    case KernelSetting::Kind::kSysctl:
      return Concat("sysctl ", setting.name);
    case KernelSetting::Kind::kFlag:
      return Concat("flag ", setting.name, " of ", setting.interface);
    case KernelSetting::Kind::kOffload:
      return Concat("offload ", setting.name, " of ", setting.interface);
    case KernelSetting::Kind::kQueues:
      return Concat("receive queues of ", setting.interface);
  }
  return "";
}

std::optional<std::string> ReadSetting(const KernelSetting& setting) {
  Interface interface(setting.interface);
  switch (setting.kind) {
    case KernelSetting::Kind::kSysctl:
      return ReadSysctl(setting.name);
    case KernelSetting::Kind::kFlag:
      return interface.ReadFlag(setting.name);
    case KernelSetting::Kind::kOffload:
      return interface.ReadOffload(setting.name);
    case KernelSetting::Kind::kQueues:
      return interface.ReadQueues();
  }
  return std::nullopt;
}

absl::Status WriteSetting(const KernelSetting& setting, std::string_view value) {
  if (setting.kind == KernelSetting::Kind::kSysctl) return WriteSysctl(setting.name, value);
  if (Write(setting, value)) return absl::OkStatus();
  return absl::ErrnoToStatus(
      errno, Concat(ToString(setting), " cannot be set to ", value, "; run as root or with CAP_NET_ADMIN"));
}

}  // namespace qure
