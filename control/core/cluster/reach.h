// What this node reaches of the LAN: whether the gateway answers, and whether anyone is there at all. Where the gateway
// is not required, a node leads without it for the sake of the LAN's own clients; but not one that is cut off and hears
// nobody, which would come back with a term above all others.
#pragma once

#include "control/core/timers.h"
#include "proto/time.h"

namespace qure {

class Reach {
 public:
  void OnGateway(MonoTime now) { gateway_ = now; }
  void OnLan(MonoTime now) { lan_ = now; }  // some other host was heard

  bool GatewayAnswered(MonoTime since) const { return gateway_ >= since; }
  // Asked since then, and the gateway has had its time: whether there are others to lead for.
  bool MayGoWithout(MonoTime now, MonoTime asked) const { return now - asked >= kWithoutGateway && lan_ >= asked; }

 private:
  MonoTime gateway_ = kLongAgo;  // last
  MonoTime lan_ = kLongAgo;
};

}  // namespace qure
