// Reports at once that some link of this network namespace has changed; which, and how, is for the reader to find out.
#pragma once

#include "control/base/fd.h"

namespace qure {

class LinkWatch {
 public:
  // Where the kernel does not allow it, nothing is ever reported.
  LinkWatch();

  // Readable when a link has changed; -1 if there is nothing to wait for.
  int fd() const { return socket_.get(); }
  // Takes what has been reported: the descriptor is not readable any more.
  void Take();

 private:
  Fd socket_;
};

}  // namespace qure
