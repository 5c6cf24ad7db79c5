#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint16_t kA = 1, kNs = 2, kCname = 5, kSoa = 6, kTxt = 16, kAaaa = 28, kHttps = 65, kAxfr = 252, kAny = 255;
constexpr uint16_t kOwner = 12;         // offset of the question name
constexpr uint16_t kAnswered = 0x8500;  // QR AA RD

// Names of the zone are compressed: `apex` is where home.example stands.
Bytes Below(const char* label, size_t apex) {
  Bytes name = WireName(label);
  name.pop_back();
  return Concat({name, {static_cast<uint8_t>(0xc0 | apex >> 8), static_cast<uint8_t>(apex)}});
}
Bytes SoaRdata(size_t apex) {
  return Concat({Below("ns1", apex), Below("hostmaster", apex), {0, 0,  0, 1, 0,  0,   14, 16, 0, 0,
                                                                 2, 88, 0, 1, 81, 128, 0,  0,  0, 30}});
}
const Bytes kServiceA = {198, 51, 100, 50};
const Bytes kServiceAaaa(kService6.bytes.begin(), kService6.bytes.end());

Bytes Query4(const Bytes& message, uint16_t port = 40000) {
  return Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
               Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17, .ttl = 61},
                     Udp(kClient4, kService4, port, 53, message)));
}
Bytes Reply4(const Bytes& message, uint16_t port = 40000) {
  return Build(Ether{kGatewayMac, kServiceMac4, 0x0800},
               Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = 17},
                     Udp(kService4, kClient4, 53, port, message)));
}
Bytes Query6(const Bytes& message) {
  return Build(Ether{kServiceMac6, kGatewayMac, 0x86dd},
               Build(Ip6Header{kClient6, kService6, 17, 61}, Udp(kClient6, kService6, 40000, 53, message)));
}
Bytes Reply6(const Bytes& message) {
  return Build(Ether{kGatewayMac, kServiceMac6, 0x86dd},
               Build(Ip6Header{kService6, kClient6, 17, 64}, Udp(kService6, kClient6, 53, 40000, message)));
}

// A case over IPv4: query message in, answer message out.
Case Ask(const char* name, const Bytes& query, Reason reason, const Bytes& answer) {
  return {name, Query4(query), reason, Reply4(answer)};
}

Bytes Negative(const Dns& asked, uint16_t rcode, size_t prefix) {
  return Concat({DnsHeaderBytes(asked.id, kAnswered | rcode, 1, 0, 1, 0), Question(asked.name, asked.type),
                 Record(static_cast<uint16_t>(kOwner + prefix), kSoa, 30, SoaRdata(kOwner + prefix))});
}
Bytes Refusal(const Dns& asked, uint16_t rcode) {
  return Concat({DnsHeaderBytes(asked.id, 0x8100 | rcode, 1, 0, 0, 0), Question(asked.name, asked.type, asked.klass)});
}
Bytes Positive(const Dns& asked, uint32_t ttl, const Bytes& rdata) {
  return Concat({DnsHeaderBytes(asked.id, kAnswered, 1, 1, 0, 0), Question(asked.name, asked.type),
                 Record(kOwner, asked.type, ttl, rdata)});
}

std::vector<Case> Answers() {
  const Dns a{.name = "www.home.example", .type = kA};
  const Dns aaaa{.name = "www.home.example", .type = kAaaa};
  const Dns mixed{.name = "wWw.HoMe.eXample", .type = kA};
  const Dns txt{.name = "www.home.example", .type = kTxt};
  const Dns ns{.name = "home.example", .type = kNs};
  const Dns soa{.name = "home.example", .type = kSoa};
  const Dns any{.name = "ns1.home.example", .type = kAny};
  Dns edns = a;
  edns.edns_payload = 4096;
  edns.dnssec_ok = true;
  const Bytes edns_answer = Concat({DnsHeaderBytes(a.id, kAnswered, 1, 1, 0, 1), Question(a.name, kA),
                                    Record(kOwner, kA, 60, kServiceA), AnswerOpt(0, true)});
  Dns no_recursion = a;
  no_recursion.flags = 0;
  return {
      Ask("A", Build(a), Reason::dns_answer, Positive(a, 60, kServiceA)),
      Ask("the case of the question is kept", Build(mixed), Reason::dns_answer, Positive(mixed, 60, kServiceA)),
      Ask("TXT", Build(txt), Reason::dns_answer, Positive(txt, 300, {2, 'h', 'i'})),
      Ask("NS, with its address", Build(ns), Reason::dns_answer,
          Concat({DnsHeaderBytes(ns.id, kAnswered, 1, 1, 0, 1), Question(ns.name, kNs),
                  Record(kOwner, kNs, 60, Below("ns1", kOwner)), Record(42, kA, 60, kServiceA)})),
      Ask("SOA", Build(soa), Reason::dns_answer, Positive(soa, 60, SoaRdata(kOwner))),
      Ask("ANY gets one set", Build(any), Reason::dns_answer,
          Concat({DnsHeaderBytes(any.id, kAnswered, 1, 1, 0, 0), Question(any.name, kAny),
                  Record(kOwner, kA, 60, kServiceA)})),
      Ask("EDNS with DO", Build(edns), Reason::dns_answer, edns_answer),
      Ask("RD is copied", Build(no_recursion), Reason::dns_answer,
          Concat({DnsHeaderBytes(a.id, 0x8400, 1, 1, 0, 0), Question(a.name, kA), Record(kOwner, kA, 60, kServiceA)})),
      {"AAAA over IPv6", Query6(Build(aaaa)), Reason::dns_answer, Reply6(Positive(aaaa, 60, kServiceAaaa))},
  };
}

std::vector<Case> Negatives() {
  const Dns missing{.name = "nope.home.example", .type = kA};
  const Dns deep_missing{.name = "x.y.www.home.example", .type = kA};
  const Dns nodata{.name = "ns1.home.example", .type = kAaaa};
  const Dns https{.name = "www.home.example", .type = kHttps};
  const Dns empty{.name = "ent.home.example", .type = kA};
  const Dns foreign{.name = "example.com", .type = kA};
  const Dns chaos{.name = "version.bind", .type = kTxt, .klass = 3};
  const Dns transfer{.name = "home.example", .type = kAxfr};
  return {
      Ask("NXDOMAIN", Build(missing), Reason::dns_nxdomain, Negative(missing, 3, 5)),
      Ask("NXDOMAIN below a name", Build(deep_missing), Reason::dns_nxdomain, Negative(deep_missing, 3, 8)),
      Ask("NODATA", Build(nodata), Reason::dns_nodata, Negative(nodata, 0, 4)),
      Ask("type 65 on an existing name is NODATA", Build(https), Reason::dns_nodata, Negative(https, 0, 4)),
      Ask("an empty non-terminal is NODATA", Build(empty), Reason::dns_nodata, Negative(empty, 0, 4)),
      Ask("not our zone", Build(foreign), Reason::dns_refused, Refusal(foreign, 5)),
      Ask("not our class", Build(chaos), Reason::dns_refused, Refusal(chaos, 5)),
      Ask("no transfer over UDP", Build(transfer), Reason::dns_refused, Refusal(transfer, 5)),
  };
}

// Question and answer names below home.example, where it stands in the question as `apex`.
std::vector<Case> Chains() {
  const Dns alias{.name = "alias.home.example", .type = kA};
  const Dns lost{.name = "lost.home.example", .type = kA};
  const Dns away{.name = "away.home.example", .type = kA};
  const Dns ring{.name = "ring.home.example", .type = kA};
  const Dns wild{.name = "any.apps.home.example", .type = kA};
  const Dns below{.name = "www.branch.home.example", .type = kA};
  const auto alias_to = [](uint16_t owner, const char* target) { return Record(owner, kCname, 60, WireName(target)); };
  const auto behind = [](const Dns& asked) { return static_cast<uint16_t>(kOwner + WireName(asked.name).size() + 4); };
  const auto answer = [](const Dns& asked, uint16_t rcode, uint16_t answers, uint16_t authorities,
                         const Bytes& records) {
    return Concat({DnsHeaderBytes(asked.id, kAnswered | rcode, 1, answers, authorities, 0),
                   Question(asked.name, asked.type), records});
  };
  // Each target stands whole in the rdata of its CNAME, 12 bytes into the record.
  const auto target = static_cast<uint16_t>(behind(alias) + 12);
  const auto lost_target = static_cast<uint16_t>(behind(lost) + 12);
  const auto ring_target = static_cast<uint16_t>(behind(ring) + 12);
  const auto wild_target = static_cast<uint16_t>(behind(wild) + 12);
  const auto wild_second = static_cast<uint16_t>(wild_target + WireName("alias.home.example").size() + 12);
  const auto cut = static_cast<uint16_t>(kOwner + 4);
  return {
      Ask("CNAME and its target", Build(alias), Reason::dns_answer,
          answer(alias, 0, 2, 0, Concat({alias_to(kOwner, "www.home.example"), Record(target, kA, 60, kServiceA)}))),
      Ask("CNAME to a name that does not exist", Build(lost), Reason::dns_nxdomain,
          answer(lost, 3, 1, 1,
                 Concat({alias_to(kOwner, "nowhere.home.example"),
                         Record(static_cast<uint16_t>(lost_target + 8), kSoa, 30, SoaRdata(lost_target + 8))}))),
      Ask("CNAME to another's zone", Build(away), Reason::dns_answer,
          answer(away, 0, 1, 0, alias_to(kOwner, "www.elsewhere.example"))),
      Ask("CNAMEs in a ring", Build(ring), Reason::dns_answer,
          answer(ring, 0, 2, 0,
                 Concat({alias_to(kOwner, "gnir.home.example"), alias_to(ring_target, "ring.home.example")}))),
      Ask("a wildcard CNAME to a CNAME", Build(wild), Reason::dns_answer,
          answer(wild, 0, 3, 0,
                 Concat({alias_to(kOwner, "alias.home.example"), alias_to(wild_target, "www.home.example"),
                         Record(wild_second, kA, 60, kServiceA)}))),
      Ask("a delegation, with its glue", Build(below), Reason::dns_referral,
          Concat({DnsHeaderBytes(below.id, 0x8100, 1, 0, 1, 1), Question(below.name, kA),
                  Record(cut, kNs, 60, Below("ns", cut)),
                  Record(static_cast<uint16_t>(behind(below) + 12), kA, 60, {192, 0, 2, 53})})),
  };
}

// Names whose answers depend on more than the zone.
std::vector<Case> Changing() {
  const Dns unknown{.name = "unknown.home.example", .type = kA};
  const Dns unknown_text{.name = "unknown.home.example", .type = kTxt};
  const Dns lame{.name = "lame.home.example", .type = kA};
  const Dns echo{.name = "AddresS.home.example", .type = kA};
  const Dns echo6{.name = "address.home.example", .type = kAaaa};
  const auto host = [](uint8_t number) { return Record(kOwner, kA, 60, {198, 51, 100, number}); };
  const auto turn = [&](uint16_t id, uint8_t first) {
    const Dns asked{.id = id, .name = "turns.home.example", .type = kA};
    const auto nth = [&](int n) { return host(static_cast<uint8_t>((first - 1 + n) % 3 + 1)); };
    return Ask("addresses in turn", Build(asked), Reason::dns_answer,
               Concat({DnsHeaderBytes(id, kAnswered, 1, 3, 0, 0), Question(asked.name, kA), nth(0), nth(1), nth(2)}));
  };
  const Dns by{.id = 1, .name = "by.home.example", .type = kA};
  const auto target = static_cast<uint16_t>(kOwner + WireName(by.name).size() + 4 + 12);
  const auto there = [&](uint8_t number) { return Record(target, kA, 60, {198, 51, 100, number}); };
  return {
      Ask("what is not known at present", Build(unknown), Reason::dns_failure, Refusal(unknown, 2)),
      Ask("an alias of what is not known", Build(lame), Reason::dns_failure, Refusal(lame, 2)),
      turn(3, 1),
      turn(4, 2),
      turn(5, 3),
      Ask("an alias of addresses in turn", Build(by), Reason::dns_answer,
          Concat({DnsHeaderBytes(1, kAnswered, 1, 4, 0, 0), Question(by.name, kA),
                  Record(kOwner, kCname, 60, WireName("turns.home.example")), there(2), there(3), there(1)})),
      Ask("the address of who asks", Build(echo), Reason::dns_answer,
          Concat({DnsHeaderBytes(echo.id, kAnswered, 1, 1, 0, 0), Question(echo.name, kA),
                  Record(kOwner, kA, 0, Bytes(kClient4.bytes.begin(), kClient4.bytes.end()))})),
      Ask("the other family's address of who asks", Build(echo6), Reason::dns_nodata, Negative(echo6, 0, 8)),
      Ask("a type that is no address of what is not known", Build(unknown_text), Reason::dns_nodata,
          Negative(unknown_text, 0, 8)),
  };
}

// A site whose clients may ask for names of others, one of which is known.
void Forwarding(Snapshot* snapshot) {
  const Bytes name = WireName("www.other.example");
  const Bytes record = Record(kOwner, kA, 60, {192, 0, 2, 9});
  auto known = std::make_shared<DnsCachedAnswer>();
  known->name = DnsNameBuffer(name);
  known->type = kA;
  known->answers = 1;
  known->bytes = record;
  known->ttl_at = {6};
  known->since = kUnixTime - 10;
  known->until = kUnixTime + 50;
  auto forwarding = std::make_shared<DnsForwarding>();
  forwarding->cache = DnsCacheTable({std::move(known)}, 1);
  auto authority = std::make_shared<DnsAuthority>(*snapshot->dns);
  authority->forwarding = std::move(forwarding);
  authority->recursion = LanHosts({{.address = IpAddress(kClient4), .length = 24}});
  snapshot->dns = std::move(authority);
}

// The same for these clients alone.
void ForwardFor(LanHosts clients, Snapshot* snapshot) {
  Forwarding(snapshot);
  auto authority = std::make_shared<DnsAuthority>(*snapshot->dns);
  authority->recursion = std::move(clients);
  snapshot->dns = std::move(authority);
}

// Names of others, for clients that may ask for them (`Forwarding`).
std::vector<Case> Others() {
  const Dns known{.name = "WWW.other.example", .type = kA};
  const Dns unknown{.name = "new.other.example", .type = kA};
  const Dns ours{.name = "www.home.example", .type = kA};
  Dns undesired = known;
  undesired.flags = 0;
  std::vector<Case> cases = {
      Ask("known of another server, TTL counted down", Build(known), Reason::dns_cached,
          Concat({DnsHeaderBytes(known.id, 0x8180, 1, 1, 0, 0), Question(known.name, kA),
                  Record(kOwner, kA, 50, {192, 0, 2, 9})})),
      {"to be asked of another server", Query4(Build(unknown)), Reason::dns_forwarded,
       ToKernel(Query4(Build(unknown)))},
      Ask("recursion that was not desired", Build(undesired), Reason::dns_refused,
          Concat({DnsHeaderBytes(undesired.id, 0x8085, 1, 0, 0, 0), Question(undesired.name, kA)})),
      Ask("our own, where recursion is available", Build(ours), Reason::dns_answer,
          Concat({DnsHeaderBytes(ours.id, kAnswered | 0x80, 1, 1, 0, 0), Question(ours.name, kA),
                  Record(kOwner, kA, 60, kServiceA)})),
  };
  for (Case& one : cases) one.site = Forwarding;
  Case stranger = Ask("no recursion for a stranger", Build(known), Reason::dns_refused, Refusal(known, 5));
  stranger.site = [](Snapshot* snapshot) { ForwardFor(LanHosts({{IpAddress(kService4), 24}}), snapshot); };
  cases.push_back(std::move(stranger));
  Case gateway = Ask("no recursion for the gateway", Build(known), Reason::dns_gateway, Refusal(known, 5));
  gateway.site = [](Snapshot* snapshot) {
    ForwardFor(LanHosts({{IpAddress(kClient4), 24}}, {IpAddress(kClient4)}), snapshot);
  };
  cases.push_back(std::move(gateway));
  return cases;
}

Bytes Option(uint8_t code, const Bytes& value) {
  return Concat({{0, code, 0, static_cast<uint8_t>(value.size())}, value});
}

// What EDNS options and class CHAOS reveal about the server and the client.
std::vector<Case> Options() {
  constexpr uint8_t kNsid = 3, kCookie = 10;
  const auto ask = [](const Bytes& options) {
    return Build(Dns{.name = "www.home.example", .type = kA, .edns_payload = 1232, .options = options});
  };
  const auto answer = [](const Bytes& options) {
    return Concat({DnsHeaderBytes(0x4242, kAnswered, 1, 1, 0, 1), Question("www.home.example", kA),
                   Record(kOwner, kA, 60, kServiceA), AnswerOpt(0, false, options)});
  };
  const Bytes client = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto cookie = [&](uint32_t age) {
    const DnsServerCookie made = MakeDnsCookie(kCookieSecret, client, kClient4, kUnixTime - age);
    return Concat({client, Bytes(made.begin(), made.end())});
  };
  const Bytes fresh = Option(kCookie, cookie(0));
  const Bytes malformed =
      Concat({DnsHeaderBytes(0x4242, 0x8101, 1, 0, 0, 1), Question("www.home.example", kA), AnswerOpt()});
  const Dns id{.name = "ID.server", .type = kTxt, .klass = 3};
  const Dns other{.name = "nothing.here", .type = kTxt, .klass = 3};
  return {
      Ask("NSID", ask(Option(kNsid, {})), Reason::dns_answer, answer(Option(kNsid, {'n', '1'}))),
      Ask("an unknown option", ask(Option(77, {1, 2})), Reason::dns_answer, answer({})),
      Ask("an client without a server cookie gets one", ask(Option(kCookie, client)), Reason::dns_answer,
          answer(fresh)),
      Ask("a good cookie comes back", ask(Option(kCookie, cookie(1000))), Reason::dns_answer,
          answer(Option(kCookie, cookie(1000)))),
      Ask("an aging cookie is renewed", ask(Option(kCookie, cookie(2000))), Reason::dns_answer, answer(fresh)),
      Ask("a foreign cookie is replaced", ask(Option(kCookie, Concat({client, Bytes(16)}))), Reason::dns_answer,
          answer(fresh)),
      Ask("NSID and cookie", ask(Concat({Option(kNsid, {}), Option(kCookie, client)})), Reason::dns_answer,
          answer(Concat({Option(kNsid, {'n', '1'}), fresh}))),
      Ask("a cookie of seven bytes", ask(Option(kCookie, Bytes(7))), Reason::dns_format_error, malformed),
      Ask("a cookie of 15 bytes", ask(Option(kCookie, Bytes(15))), Reason::dns_format_error, malformed),
      Ask("an option that does not fit", ask({0, 3, 0, 9, 1}), Reason::dns_format_error, malformed),
      Ask("which server, class CHAOS", Build(id), Reason::dns_answer,
          Concat({DnsHeaderBytes(id.id, kAnswered, 1, 1, 0, 0), Question(id.name, kTxt, 3),
                  Record(kOwner, kTxt, 0, {2, 'n', '1'}, 3)})),
      Ask("what is not in class CHAOS", Build(other), Reason::dns_refused, Refusal(other, 5)),
  };
}

std::vector<Case> Faults() {
  const Dns a{.name = "www.home.example", .type = kA};
  Dns notify = a;
  notify.flags = 0x2000;
  Dns version = a;
  version.edns_payload = 1232;
  version.edns_version = 1;
  Bytes two_questions = Build(a);
  PutBe16(&two_questions, 4, 2);
  Dns opt = a;
  opt.edns_payload = 1232;
  Bytes two_opts = Concat({Build(opt), {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0}});
  PutBe16(&two_opts, 10, 2);
  Dns response = a;
  response.flags = 0x8180;
  Bytes wrong_checksum = Query4(Build(a));
  wrong_checksum.back() ^= 1;
  Bytes no_checksum = Query4(Build(a));
  PutBe16(&no_checksum, 14 + 20 + 6, 0);
  Bytes no_checksum6 = Query6(Build(a));
  PutBe16(&no_checksum6, 14 + 40 + 6, 0);
  const Dns big{.name = "big.home.example", .type = kTxt};
  Dns big_edns = big;
  big_edns.edns_payload = 4096;
  return {
      Ask("opcode NOTIFY", Build(notify), Reason::dns_not_implemented, DnsHeaderBytes(a.id, 0xa004, 0, 0, 0, 0)),
      Ask("EDNS version 1", Build(version), Reason::dns_bad_version,
          Concat({DnsHeaderBytes(a.id, 0x8100, 1, 0, 0, 1), Question(a.name, kA), AnswerOpt(1)})),
      Ask("two questions", two_questions, Reason::dns_format_error, DnsHeaderBytes(a.id, 0x8101, 0, 0, 0, 0)),
      Ask("two OPT records", two_opts, Reason::dns_format_error,
          Concat({DnsHeaderBytes(a.id, 0x8101, 1, 0, 0, 1), Question(a.name, kA), AnswerOpt()})),
      Ask("too large for 512 bytes", Build(big), Reason::dns_truncated,
          Concat({DnsHeaderBytes(a.id, 0x8700, 1, 0, 0, 0), Question(big.name, kTxt)})),
      Ask("too large for 1232 bytes", Build(big_edns), Reason::dns_truncated,
          Concat({DnsHeaderBytes(a.id, 0x8700, 1, 0, 0, 1), Question(big.name, kTxt), AnswerOpt()})),
      {"no UDP checksum over IPv4", no_checksum, Reason::dns_answer, Reply4(Positive(a, 60, kServiceA))},
      {"no UDP checksum over IPv6", no_checksum6, Reason::udp_checksum},
      {"UDP checksum wrong", wrong_checksum, Reason::udp_checksum},
      {"a response", Query4(Build(response)), Reason::dns_response},
      {"eleven bytes", Query4(Bytes(11)), Reason::dns_short},
      {"from port 53", Query4(Build(a), 53), Reason::dns_reflection},
      {"from port 0", Query4(Build(a), 0), Reason::dns_reflection},
      {.name = "no zones: the kernel may have a server",
       .in = Query4(Build(a)),
       .reason = Reason::host_service,
       .out = ToKernel(Query4(Build(a))),
       .site = [](Snapshot* s) { s->dns = nullptr; }},
  };
}

}  // namespace

std::vector<Case> DnsCases() {
  return Join({Answers(), Negatives(), Chains(), Changing(), Others(), Options(), Faults()});
}

}  // namespace qure::testing
