#include "control/store/store.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "control/base/fd.h"
#include "control/base/log.h"
#include "control/base/ownership.h"
#include "control/base/text.h"
#include "control/core/admission/handshake.h"
#include "control/store/store_rows.h"
#include "proto/check.h"

namespace qure {
namespace {

namespace fs = std::filesystem;

constexpr int kMostDamaged = 999;

// Only its owner can read the file, from the start: SQLite gives its journal the mode of the file.
absl::Status CreateFile(const std::string& path, bool* created) {
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  *created = file.valid();
  if (file.valid() || errno == EEXIST) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, Concat(path, ": cannot be created; make its directory writable for qured"));
}

// A new file is durable only after its directory is synced too.
void SyncDirectory(const std::string& path) {
  const Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid()) fsync(directory.get());
}

std::string DamagedName(const std::string& path, int number) {
  return Concat(path, ".damaged-", number);
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<admission::Seed> DrawSeed() {
  admission::Seed seed{};
  if (getrandom(seed.data(), seed.size(), 0) == static_cast<ssize_t>(seed.size())) return seed;
  return absl::ErrnoToStatus(errno, "no random numbers from the kernel");
}

// Of a node that has never run.
absl::StatusOr<IdentityRow> DrawIdentity() {
  const absl::StatusOr<admission::Seed> seed = DrawSeed();
  if (!seed.ok()) return seed.status();
  IdentityRow row;
  row.node_id = admission::NodeIdOf(admission::SigningKeyOf(*seed).public_key);
  row.seed = *seed;
  return row;
}

absl::Status WriteNewIdentity(Database* db) {
  const absl::StatusOr<IdentityRow> row = DrawIdentity();
  return row.ok() ? WriteIdentity(db, *row) : row.status();
}

// The file cannot be written: read-only, no space, or a failing disk.
bool IsUnwritable(const absl::Status& status) {
  return absl::IsPermissionDenied(status) || absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

// Creates a directory in memory for a copy of the store; empty if that fails.
std::string MakeMemoryDirectory() {
  for (const char* const base : {"/dev/shm", "/run", "/tmp"}) {
    std::string path = Concat(base, "/qure-store-XXXXXX");
    if (mkdtemp(path.data()) != nullptr) return path;
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& directory, std::string_view revision) {
  if (absl::Status made = MakePrivateDirectory(directory); !made.ok()) return made;
  std::unique_ptr<Store> store(new Store(directory, revision));
  absl::Status status = store->Boot();
  if (absl::IsDataLoss(status)) {
    status = store->MoveAside(status);
    if (status.ok()) status = store->Boot();
  }
  if (IsUnwritable(status)) status = store->ServeFromMemory(status);
  if (!status.ok()) return status;
  return store;
}

absl::Status Store::Boot() {
  bool created = false;
  if (absl::Status status = CreateFile(path_, &created); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Database>> db = Database::Open(path_);
  absl::Status status = db.status();
  if (status.ok()) {
    db_ = *std::move(db);
    status = db_->Transaction([this, created] {
      absl::Status done = Load(db_.get(), created);
      return done.ok() ? SaveBoot() : done;
    });
  }
  boot_saved_ = status.ok();
  state_.identity = seed_;
  if (status.ok() && created) SyncDirectory(directory_);
  if (!status.ok()) {
    db_.reset();
    if (created) unlink(path_.c_str());
  }
  return status;
}

absl::Status Store::Load(Database* db, bool created) {
  state_ = {};
  IdentityRow row;
  bool was_empty = false;
  absl::Status status = CheckIntegrity(db);
  if (status.ok()) status = UpgradeSchema(db, &was_empty);
  if (status.ok() && was_empty) status = WriteNewIdentity(db);
  if (status.ok()) status = ReadIdentity(db, &row);
  if (status.ok()) status = ReadState(db, &state_);
  if (!status.ok()) return status;
  state_.node_id = row.node_id;
  state_.age = row.age + 1;
  state_.revision = row.revision;
  state_.age_at_revision = row.revision == revision_ ? row.age_at_revision : state_.age;
  state_.lost = was_empty && (!created || Exists(DamagedName(path_, 1)));
  age_ = state_.age;
  age_at_revision_ = state_.age_at_revision;
  hardware_ = row.lan_mac;
  seed_ = row.seed;
  state_.copy_of = row.copy_of;
  return absl::OkStatus();
}

absl::Status Store::SaveBoot() {
  if (!seed_) {
    const absl::StatusOr<admission::Seed> seed = DrawSeed();
    if (!seed.ok()) return seed.status();
    seed_ = *seed;
  }
  return WriteIdentity(db_.get(),
                       {state_.node_id, age_, hardware_, revision_, age_at_revision_, seed_, state_.copy_of});
}

absl::Status Store::MoveAside(const absl::Status& why) {
  int number = 1;
  while (number < kMostDamaged && Exists(DamagedName(path_, number))) ++number;
  const std::string aside = DamagedName(path_, number);
  std::error_code error;
  // The write-ahead log first: SQLite would use it for the new database.
  for (const char* const suffix : {"-wal", "-shm", ""}) {
    const std::string part = path_ + suffix;
    if (Exists(part)) fs::rename(part, aside + suffix, error);
    if (error) {
      return absl::ErrnoToStatus(error.value(), Concat(why.message(), "; and it cannot be moved to ", aside));
    }
  }
  LogLine(LogLevel::kError, why.message(), "; kept as ", aside);
  LogLine(LogLevel::kError,
          "created a new store: this node has a new identity, and gets the cluster's history from the other nodes");
  return absl::OkStatus();
}

absl::Status Store::ServeFromMemory(const absl::Status& why) {
  const std::string directory = MakeMemoryDirectory();
  if (directory.empty()) return why;
  const auto remove = absl::MakeCleanup([&directory] {
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  });
  const std::string copy = directory + "/qure.db";
  std::error_code error;
  fs::copy_file(path_, copy, error);
  if (!error && Exists(path_ + "-wal")) fs::copy_file(path_ + "-wal", copy + "-wal", error);
  if (error) return why;
  const absl::StatusOr<std::unique_ptr<Database>> db = Database::Open(copy);
  if (!db.ok()) return why;
  const absl::Status loaded = (*db)->Transaction([this, &db] { return Load(db->get(), /*created=*/true); });
  if (!loaded.ok() || state_.age <= 1) return why;  // an identity that was never saved cannot be used
  state_.identity = seed_;
  alarm_ = Concat(why.message(), "; serving from memory, changes are lost at the next start");
  return absl::OkStatus();
}

void Store::SetHardware(const MacAddress& lan_mac) {
  state_.hardware_changed = hardware_ && *hardware_ != lan_mac;
  if (hardware_) return;
  hardware_ = lan_mac;
  boot_saved_ = false;
  if (const absl::Status saved = Apply({}); !saved.ok()) {
    LogLine(LogLevel::kWarning, "the LAN port's address is not stored yet: " + std::string(saved.message()));
  }
}

absl::Status Store::Apply(std::span<const StoreChange> changes) {
  uint64_t age = age_;
  for (const StoreChange& change : changes) {
    if (!change.age) continue;
    QURE_CHECK(*change.age >= age, *change.age, age);
    age = *change.age;
  }
  if (db_ == nullptr) {
    absl::StatusOr<std::unique_ptr<Database>> db = Database::Open(path_);
    if (!db.ok()) return db.status();
    db_ = *std::move(db);
  }
  absl::Status status = db_->Transaction([this, changes] {
    absl::Status done;
    bool was_empty = false;
    if (!boot_saved_) done = UpgradeSchema(db_.get(), &was_empty);
    if (done.ok() && !boot_saved_) done = SaveBoot();
    for (const StoreChange& change : changes) {
      if (done.ok()) done = WriteChange(db_.get(), change);
    }
    return done;
  });
  if (!status.ok()) return status;
  boot_saved_ = true;
  age_ = age;
  return status;
}

absl::Status Store::TakeNewIdentity() {
  absl::StatusOr<IdentityRow> fresh = DrawIdentity();
  if (!fresh.ok()) return fresh.status();
  if (seed_) {
    const admission::SigningKey before = admission::SigningKeyOf(*seed_);
    fresh->copy_of = {.identity = before.public_key,
                      .signature = admission::SignCopy(before, admission::SigningKeyOf(*fresh->seed).public_key)};
  }
  return BecomeAnother(*fresh, [this] {
    // The events of this boot are the original node's to record.
    const absl::Status forgotten = ForgetBoot(db_.get(), state_.node_id, age_);
    return forgotten.ok() ? GiveUpKeys(db_.get()) : forgotten;
  });
}

absl::Status Store::BeginAnew() {
  const absl::StatusOr<IdentityRow> fresh = DrawIdentity();
  if (!fresh.ok()) return fresh.status();
  return BecomeAnother(*fresh, [this] { return ForgetCluster(db_.get()); });
}

// The next boot is the first one of a new node.
template <typename Forget>
absl::Status Store::BecomeAnother(const IdentityRow& fresh, Forget forget) {
  if (absl::Status saved = Apply({}); !saved.ok()) return saved;
  return db_->Transaction([this, &fresh, &forget] {
    const absl::Status forgotten = forget();
    return forgotten.ok() ? WriteIdentity(db_.get(), fresh) : forgotten;
  });
}

}  // namespace qure
