// What a store holds of the cluster's configuration, as control/store does it.
#pragma once

#include <map>
#include <string>

#include "control/core/config/effects.h"

namespace qure {

class ConfigDisk {
 public:
  void Write(const clusterconfig::Save& save) {
    for (const clusterconfig::Version& version : save.drop) versions_.erase(version);
    for (const clusterconfig::Digest& digest : save.drop_bodies) bodies_.erase(digest);
    for (const auto& [version, stored] : save.put) versions_[version] = stored;
    for (const auto& [digest, body] : save.put_bodies) bodies_[digest] = *body;
  }
  clusterconfig::StoredConfig Read() const {
    clusterconfig::StoredConfig stored;
    for (const auto& [version, each] : versions_) stored.versions.push_back(each);
    for (const auto& [digest, body] : bodies_) stored.bodies.push_back(body);
    return stored;
  }
  clusterconfig::Stage Of(const clusterconfig::Version& version) const {
    const auto found = versions_.find(version);
    return found == versions_.end() ? clusterconfig::Stage::kNone : found->second.stage;
  }
  bool Has(const clusterconfig::Digest& body) const { return bodies_.contains(body); }

 private:
  std::map<clusterconfig::Version, clusterconfig::StoredVersion> versions_;
  std::map<clusterconfig::Digest, std::string> bodies_;
};

}  // namespace qure
