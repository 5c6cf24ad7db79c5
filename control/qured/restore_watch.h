// Whether this machine was restored from a snapshot: what the control thread remembers is then of another time, and
// another copy of it may go on elsewhere.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "proto/time.h"

namespace qure {

class RestoreWatch {
 public:
  // Where the hypervisor shows the VM generation id, if it does (QEMU's vmgenid, by fw_cfg).
  static constexpr const char* kGenerationPath = "/sys/firmware/qemu_fw_cfg/by_name/etc/vmgenid_guid/raw";
  // The wall clock ran ahead of the monotonic one by so much between two looks. Time services correct less, but for a
  // clock that was wrong from the start.
  static constexpr Duration kJump = Seconds(5);

  explicit RestoreWatch(std::string generation_path = kGenerationPath);

  // Every second or so; says why when it finds that the machine was restored, and compares with what is there from
  // then on.
  std::optional<std::string> Look(MonoTime now, uint64_t wall_ms);

 private:
  using Generation = std::array<uint8_t, 16>;
  std::optional<Generation> Read() const;

  const std::string path_;
  std::optional<Generation> generation_;
  std::optional<int64_t> ahead_ns_;  // of the wall clock before the monotonic one
};

}  // namespace qure
