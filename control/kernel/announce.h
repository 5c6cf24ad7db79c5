// An address that has moved from one interface to another is announced, so that neighbours do not keep the old MAC.
#pragma once

#include <string>

#include "proto/net/address.h"

namespace qure {

// Sends an ARP announcement (RFC 5227 §2.3) from the interface. False if it could not; neighbours then find out by
// themselves within a minute.
bool AnnounceAddress(const std::string& interface, const Ipv4Address& address);

}  // namespace qure
