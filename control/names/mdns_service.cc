#include "control/names/mdns_service.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <asio/posix/stream_descriptor.hpp>

#include "control/base/fd.h"
#include "control/base/log.h"
#include "control/names/clock.h"
#include "control/names/mdns_publication.h"
#include "control/names/message_budget.h"
#include "proto/dns/ldns.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

constexpr std::chrono::seconds kWatch(1);
// Of messages that are read from a link: a LAN of hundreds of hosts that all ask at once, then what no LAN needs.
constexpr Duration kMessageInterval = Milliseconds(5);
constexpr int64_t kMessageBurst = 400;
constexpr int kHops = 255;         // RFC 6762 §11
constexpr size_t kLongest = 9000;  // §17
constexpr Ipv4Address kGroupV4{{224, 0, 0, 251}};
constexpr Ipv6Address kGroupV6{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb}};

template <typename Value>
bool Set(int fd, int level, int option, const Value& value) {
  return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

sockaddr_storage ToSocket(const IpAddress& address, uint16_t port, unsigned index) {
  sockaddr_storage storage{};
  if (address.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, address.v4().bytes.data(), sizeof(v4->sin_addr));
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, address.v6().bytes.data(), sizeof(v6->sin6_addr));
    v6->sin6_scope_id = index;
  }
  return storage;
}

Endpoint FromSocket(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    Ipv4Address address;
    std::memcpy(address.bytes.data(), &v4->sin_addr, address.bytes.size());
    return {IpAddress(address), ntohs(v4->sin_port)};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  Ipv6Address address;
  std::memcpy(address.bytes.data(), &v6->sin6_addr, address.bytes.size());
  return {IpAddress(address), ntohs(v6->sin6_port)};
}

// This machine's addresses on the interface, of both families.
std::vector<IpAddress> AddressesOf(const std::string& interface) {
  std::vector<IpAddress> addresses;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || interface != one->ifa_name) continue;
    if (one->ifa_addr->sa_family != AF_INET && one->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, one->ifa_addr,
                one->ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    addresses.push_back(FromSocket(storage).address);
  }
  freeifaddrs(all);
  return addresses;
}

// Zero if this node has none.
Ipv4Address OwnV4(const ClusterFacts& facts) {
  if (facts.nodes.empty()) return {};
  const std::vector<IpAddress>& all = facts.nodes.front().addresses;
  const auto v4 = std::ranges::find_if(all, [](const IpAddress& address) { return address.is_v4(); });
  return v4 == all.end() ? Ipv4Address{} : v4->v4();
}

socklen_t SizeOf(const sockaddr_storage& storage) {
  return storage.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

bool SetUpV4(int fd, unsigned index, const Ipv4Address& own) {
  ip_mreqn group{};
  group.imr_ifindex = static_cast<int>(index);
  std::memcpy(&group.imr_address, own.bytes.data(), own.bytes.size());  // never a service address
  std::memcpy(&group.imr_multiaddr, kGroupV4.bytes.data(), kGroupV4.bytes.size());
  return Set(fd, IPPROTO_IP, IP_MULTICAST_IF, group) && Set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, group) &&
         Set(fd, IPPROTO_IP, IP_MULTICAST_TTL, kHops) && Set(fd, IPPROTO_IP, IP_TTL, kHops) &&
         Set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0) && Set(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) &&
         Set(fd, IPPROTO_IP, IP_PKTINFO, 1) && Set(fd, IPPROTO_IP, IP_RECVTTL, 1);
}

bool SetUpV6(int fd, unsigned index) {
  ipv6_mreq group{};
  group.ipv6mr_interface = index;
  std::memcpy(&group.ipv6mr_multiaddr, kGroupV6.bytes.data(), kGroupV6.bytes.size());
  return Set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) && Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index)) &&
         Set(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, group) && Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kHops) &&
         Set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kHops) && Set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
         Set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) && Set(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
}

// A message to the group is from this link. A message to this host is, if no router has forwarded it (RFC 5082).
bool IsFromLink(msghdr* message) {
  bool grouped = false;
  int hops = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
    const unsigned char* data = CMSG_DATA(part);
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      const auto* info = reinterpret_cast<const in_pktinfo*>(data);
      grouped = std::memcmp(&info->ipi_addr, kGroupV4.bytes.data(), kGroupV4.bytes.size()) == 0;
    }
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      const auto* info = reinterpret_cast<const in6_pktinfo*>(data);
      grouped = std::memcmp(&info->ipi6_addr, kGroupV6.bytes.data(), kGroupV6.bytes.size()) == 0;
    }
    const bool v4_hops = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TTL;
    const bool v6_hops = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_HOPLIMIT;
    if (v4_hops || v6_hops) std::memcpy(&hops, data, sizeof(hops));
  }
  return grouped || hops == kHops;
}

}  // namespace

class MdnsService::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(asio::io_context& io, MdnsService* service, int family, uint64_t seed)
      : service_(service), family_(family), seed_(seed), socket_(io), timer_(io), pause_(io), responder_(seed) {}

  // Opens the socket; opens it again when the interface or the node's address has changed. Other addresses may change
  // without that.
  void Check(const std::string& interface, const Ipv4Address& own) {
    const unsigned index = if_nametoindex(interface.c_str());
    if (socket_.is_open() && index == index_ && own == own_) return responder_.SetOwn(AddressesOf(interface));
    Close();
    if (index == 0 || (family_ == AF_INET && own.is_zero())) return;
    Open(interface, index, own);
  }

  void Publish(const std::vector<MdnsEntry>& entries, bool peers_go_on) {
    responder_.Publish(entries, peers_go_on, SteadyNow());
    Pump();
  }

  void Close() {
    asio::error_code ignored;
    timer_.cancel();
    pause_.cancel();
    if (socket_.is_open()) socket_.close(ignored);
    index_ = 0;
  }
  void Leave() {
    Close();
    service_ = nullptr;
  }
  // The service is destroyed.
  void Abandon() {
    service_ = nullptr;
    asio::error_code ignored;
    socket_.close(ignored);
  }

  bool open() const { return socket_.is_open(); }
  bool settled() const { return responder_.settled(); }
  const std::vector<IpAddress>& addresses() const { return responder_.own(); }
  int family() const { return family_; }

 private:
  void Open(const std::string& interface, unsigned index, const Ipv4Address& own) {
    Fd fd(socket(family_, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return;  // this machine does not have the family
    const IpAddress any = family_ == AF_INET ? IpAddress() : IpAddress(Ipv6Address{});
    const sockaddr_storage local = ToSocket(any, kMdnsPort, 0);
    bool ready = Set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1) && Set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1) &&
                 setsockopt(fd.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                            static_cast<socklen_t>(interface.size())) == 0;
    ready = ready && (family_ == AF_INET ? SetUpV4(fd.get(), index, own) : SetUpV6(fd.get(), index));
    ready = ready && bind(fd.get(), reinterpret_cast<const sockaddr*>(&local), SizeOf(local)) == 0;
    if (!ready) {
      LogLine(LogLevel::kDebug, "mDNS: cannot use ", interface, " yet: ", strerror(errno));
      return;
    }
    index_ = index;
    own_ = own;
    socket_.assign(fd.Release());
    responder_ = MdnsResponder(seed_ ^ static_cast<uint64_t>(SteadyNow().ns));
    responder_.SetOwn(AddressesOf(interface));
    Publish(service_->entries_, false);
    Receive();
  }

  void Receive() {
    socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this(), index = index_](asio::error_code error) {
                         if (error || self->service_ == nullptr || self->index_ != index) return;
                         self->TakeOne();
                         self->Pump();
                         self->ReceiveFrom(self->budget_.Take(SteadyNow()));
                       });
  }

  // Who floods the group takes his share of this thread, and not that of DNS: what comes meanwhile waits, or is lost
  // where there is no room.
  void ReceiveFrom(MonoTime at) {
    if (at <= SteadyNow()) return Receive();
    pause_.expires_at(ToSteady(at));
    pause_.async_wait([self = shared_from_this(), index = index_](asio::error_code error) {
      if (!error && self->service_ != nullptr && self->index_ == index) self->Receive();
    });
  }

  void TakeOne() {
    std::array<uint8_t, kLongest> bytes;
    alignas(cmsghdr) std::array<char, 256> control;
    sockaddr_storage from{};
    iovec vector = {bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof(from);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t length = recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
    if (length <= 0 || (message.msg_flags & MSG_TRUNC) != 0 || !IsFromLink(&message)) return;
    responder_.OnMessage({bytes.data(), static_cast<size_t>(length)}, FromSocket(from), SteadyNow());
  }

  void Pump() {
    responder_.OnTime(SteadyNow());
    for (const MdnsResponder::Sending& sending : responder_.TakeSendings()) Send(sending);
    const std::set<std::string> lost = responder_.TakeLost();
    if (!lost.empty() && service_ != nullptr) {
      for (const std::string& name : lost) {
        LogLine(LogLevel::kWarning, "mDNS: another host has the name ", DnsNameToText(name),
                "; this node uses the next free one");
      }
      AddTaken(lost, &service_->taken_);
      return service_->Publish();  // which calls Pump again
    }
    const MonoTime next = responder_.NextDeadline();
    timer_.cancel();
    if (next == kNever || !socket_.is_open()) return;
    timer_.expires_at(ToSteady(next));
    timer_.async_wait([self = shared_from_this()](asio::error_code error) {
      if (!error && self->service_ != nullptr) self->Pump();
    });
  }

  void Send(const MdnsResponder::Sending& sending) {
    if (!socket_.is_open()) return;
    const IpAddress group = family_ == AF_INET ? IpAddress(kGroupV4) : IpAddress(kGroupV6);
    const Endpoint to = sending.to.value_or(Endpoint{.address = group, .port = kMdnsPort});
    sockaddr_storage remote = ToSocket(to.address, to.port, index_);
    iovec vector = {const_cast<uint8_t*>(sending.message.data()), sending.message.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    msghdr message{};
    message.msg_name = &remote;
    message.msg_namelen = SizeOf(remote);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (family_ == AF_INET) {  // from the node's own address, independent of the routes
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* part = CMSG_FIRSTHDR(&message);
      part->cmsg_level = IPPROTO_IP;
      part->cmsg_type = IP_PKTINFO;
      part->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
      in_pktinfo info{};
      info.ipi_ifindex = static_cast<int>(index_);
      std::memcpy(&info.ipi_spec_dst, own_.bytes.data(), own_.bytes.size());
      std::memcpy(CMSG_DATA(part), &info, sizeof(info));
    }
    sendmsg(socket_.native_handle(), &message,
            MSG_DONTWAIT | MSG_NOSIGNAL);  // hosts repeat their queries if this is lost
  }

  MdnsService* service_;  // null: destroyed
  const int family_;
  const uint64_t seed_;
  asio::posix::stream_descriptor socket_;
  asio::steady_timer timer_;
  asio::steady_timer pause_;  // until the next message is read
  MessageBudget budget_{kMessageInterval, kMessageBurst};
  MdnsResponder responder_;
  unsigned index_ = 0;
  Ipv4Address own_;
};

MdnsService::MdnsService(asio::io_context& io, std::string interface, uint64_t seed)
    : interface_(std::move(interface)), watch_(io) {
  for (const int family : {AF_INET, AF_INET6})
    links_.push_back(std::make_shared<Link>(io, this, family, seed ^ static_cast<uint64_t>(family)));
}

MdnsService::~MdnsService() {
  for (const auto& link : links_) link->Abandon();
}

void MdnsService::Configure(const ClusterConfig& config) {
  config_ = config;
  taken_.clear();
  Publish();
  Watch();
}

void MdnsService::OnFacts(const ClusterFacts& facts) {
  facts_ = facts;
  Publish();
}

void MdnsService::Publish() {
  std::vector<MdnsEntry> entries;
  if (config_.mdns.enabled) entries = MakeMdnsPublication(facts_, config_, taken_);
  if (entries == entries_) return;
  entries_ = std::move(entries);
  for (const auto& link : links_) link->Publish(entries_, !facts_.master);
}

void MdnsService::Watch() {
  const Ipv4Address own = OwnV4(facts_);
  for (const auto& link : links_) {
    if (config_.mdns.enabled) {
      link->Check(interface_, own);
    } else {
      link->Close();
    }
  }
  watch_.expires_after(kWatch);
  watch_.async_wait([this](asio::error_code error) {
    if (!error) Watch();
  });
}

void MdnsService::Stop() {
  const bool peers = std::ranges::count(facts_.nodes, true, &ClusterFacts::Node::alive) > 1;
  for (const auto& link : links_) {
    link->Publish({}, !facts_.master || peers);
    link->Leave();
  }
  watch_.cancel();
}

nlohmann::ordered_json MdnsService::Show() const {
  nlohmann::ordered_json links = nlohmann::ordered_json::array();
  for (const auto& link : links_) {
    nlohmann::ordered_json addresses = nlohmann::ordered_json::array();
    for (const IpAddress& address : link->addresses()) addresses.push_back(ToString(address));
    links.push_back({{"family", link->family() == AF_INET ? "ipv4" : "ipv6"},
                     {"open", link->open()},
                     {"settled", link->settled()},
                     {"own_addresses", std::move(addresses)}});
  }
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const MdnsEntry& entry : entries_) {
    names.push_back({{"name", DnsNameToText(entry.record.name)},
                     {"type", DnsTypeName(entry.record.type)},
                     {"ttl", entry.record.ttl}});
  }
  return {{"interface", interface_}, {"enabled", config_.mdns.enabled}, {"links", links}, {"records", names}};
}

}  // namespace qure
