#include "control/core/keyring.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace qure {
namespace {

absl::StatusOr<Keyring> Checked(Keyring keyring) {
  for (const StoredKey& key : keyring.keys) {
    if (std::ranges::count(keyring.keys, key.id, &StoredKey::id) > 1) {
      return absl::AlreadyExistsError(absl::StrCat("key ", key.id, " exists already and is another; choose a new id"));
    }
  }
  if (std::ranges::find(keyring.keys, keyring.use, &StoredKey::id) == keyring.keys.end()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "key ", keyring.use, " would be in use, but is not there: add it first, or use another before removing it"));
  }
  return keyring;
}

}  // namespace

absl::StatusOr<Keyring> Changed(Keyring keyring, const AddKey& add) {
  const auto is_it = [&](const StoredKey& key) { return key.id == add.id && key.key == add.key; };
  if (std::ranges::none_of(keyring.keys, is_it)) keyring.keys.push_back({.id = add.id, .key = add.key, .record = {}});
  if (keyring.use == 0) keyring.use = add.id;
  return Checked(std::move(keyring));
}

absl::StatusOr<Keyring> Changed(Keyring keyring, const UseKey& use) {
  keyring.use = use.id;
  return Checked(std::move(keyring));
}

absl::StatusOr<Keyring> Changed(Keyring keyring, const RemoveKey& remove) {
  if (std::erase_if(keyring.keys, [&](const StoredKey& key) { return key.id == remove.id; }) == 0) {
    return absl::NotFoundError(absl::StrCat("there is no key ", remove.id));
  }
  return Checked(std::move(keyring));
}

}  // namespace qure
