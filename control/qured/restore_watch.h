// Whether the hypervisor says that this machine was restored from a snapshot, or cloned: its VM generation id is then
// another one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace qure {

class RestoreWatch {
 public:
  // Where QEMU shows it (device vmgenid, kernel module qemu_fw_cfg). It need not be there.
  static constexpr const char* kGenerationPath = "/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw";

  explicit RestoreWatch(std::string generation_path = kGenerationPath);

  // True if the id is not the one that was read before.
  bool Look();

 private:
  using Generation = std::array<uint8_t, 16>;
  std::optional<Generation> Read() const;

  const std::string path_;
  std::optional<Generation> generation_;
};

}  // namespace qure
