// A real main server for tests: Knot on loopback, with a zone "example" that keys may update.
#pragma once

#include <string>

#include "control/core/config.h"
#include "tests/support/temporary_directory.h"

namespace qure::test {

class KnotServer {
 public:
  static bool Installed();
  // Starts it on an address of this machine, and waits until it answers.
  explicit KnotServer(const IpAddress& address);
  ~KnotServer();
  KnotServer(const KnotServer&) = delete;
  KnotServer& operator=(const KnotServer&) = delete;

  const Endpoint& server() const { return server_; }
  std::string log() const;

  // The keys home1 (hmac-sha256), home2 (hmac-sha512) and home3 (hmac-sha384) may update; the key "reader" may not.
  static TsigKey Key(const std::string& name);

 private:
  bool Start();
  void Stop();

  TemporaryDirectory directory_;
  Endpoint server_;
  int process_ = -1;
};

}  // namespace qure::test
