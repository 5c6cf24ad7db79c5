#include "control/names/mdns_responder.h"

#include <algorithm>
#include <array>
#include <span>

#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

constexpr uint16_t kAnswerFlags = kDnsFlagResponse | kDnsFlagAuthoritative;  // RFC 6762 §18.4
constexpr uint16_t kNoQueryMask = 0x780f;                                    // opcode and rcode (§18.3, §18.11)
constexpr int kProbes = 3;                                                   // §8.1
constexpr Duration kProbeInterval = Milliseconds(250);
constexpr Duration kAfterDefeat = Seconds(1);  // §8.2
constexpr unsigned kManyLosses = 15;           // §8.1
constexpr Duration kAfterManyLosses = Seconds(5);
constexpr int kAnnouncements = 2;  // §8.3
constexpr Duration kAnnouncementInterval = Seconds(1);
constexpr Duration kGap = Seconds(1);  // between multicasts of a record (§6)
constexpr Duration kDefenceGap = Milliseconds(250);
constexpr Duration kRemembered = Seconds(10);
constexpr size_t kMostRemembered = 1000;
constexpr size_t kMostQuestions = 64;  // of a message; the rest is ignored
constexpr uint32_t kLegacyTtl = 10;    // §6.7
constexpr size_t kSrvFixed = 6;

bool SameData(const MdnsRecord& a, const MdnsRecord& b) {
  return a.type == b.type && a.rdata == b.rdata && DnsToLower(a.name) == DnsToLower(b.name);
}

bool IsAddress(uint16_t type) {
  return type == kDnsTypeA || type == kDnsTypeAaaa;
}

// Lexicographic by class, type and rdata (§8.2); all are of class IN.
using Claimed = std::vector<std::pair<uint16_t, std::string>>;

bool Fits(const MdnsMessage& message) {
  return WriteMdns(message).size() <= kMdnsPayload;
}

}  // namespace

MdnsResponder::MdnsResponder(uint64_t seed) : random_(seed) {}

Duration MdnsResponder::Random(Duration least, Duration most) {
  return {std::uniform_int_distribution<int64_t>(least.ns, most.ns)(random_)};
}

// ------------------------------------------------------------------------------------------------------- publication

void MdnsResponder::Publish(const std::vector<MdnsEntry>& entries, bool peers_go_on, MonoTime now) {
  std::vector<Held> before = std::exchange(held_, {});
  std::set<Name> unique;
  const MonoTime start = now + (losses_ >= kManyLosses ? kAfterManyLosses : Random({}, kProbeInterval));
  for (const MdnsEntry& entry : entries) {
    const Name name = DnsToLower(entry.record.name);
    const auto old = std::ranges::find_if(before, [&](const Held& held) { return held.record == entry.record; });
    if (entry.record.unique) unique.insert(name);
    if (old != before.end()) {
      held_.push_back(std::move(*old));
      before.erase(old);
      held_.back().lasting = entry.lasting;
    } else {
      held_.push_back({.record = entry.record, .name = name, .lasting = entry.lasting});
      const auto claim = claims_.find(name);
      const bool ours = !entry.record.unique || (claim != claims_.end() && claim->second.next == kNever);
      held_.back().announcements = kAnnouncements;
      if (ours) held_.back().due = now;
    }
  }
  std::erase_if(before, [](const Held& held) { return held.synthetic; });
  Withdraw(before, peers_go_on);
  for (const Held& held : before) former_.emplace_back(now + kRemembered, held.record);
  while (former_.size() > kMostRemembered) former_.pop_front();
  std::erase_if(claims_, [&](const auto& claim) { return !unique.contains(claim.first); });
  for (const Name& name : unique) claims_.try_emplace(name, Claim{.next = start});
  AddNsec();
}

// Adds an NSEC record for each unique name, which lists its types (§6.1).
void MdnsResponder::AddNsec() {
  for (const auto& [name, claim] : claims_) {
    std::array<uint8_t, 32> bits{};
    size_t used = 0;
    MdnsRecord nsec = {.type = kDnsTypeNsec, .unique = true};
    for (const Held& held : held_) {
      if (held.name != name || held.record.type > UINT8_MAX) continue;
      bits[held.record.type / 8] |= static_cast<uint8_t>(0x80 >> held.record.type % 8);
      used = std::max<size_t>(used, held.record.type / 8 + 1);
      nsec.name = held.record.name;
      nsec.ttl = held.record.ttl;
    }
    nsec.rdata = nsec.name + std::string{'\0', static_cast<char>(used)};
    nsec.rdata.append(bits.begin(), bits.begin() + static_cast<ptrdiff_t>(used));
    held_.push_back({.record = std::move(nsec), .name = name, .synthetic = true});
  }
}

void MdnsResponder::Withdraw(const std::vector<Held>& gone, bool peers_go_on) {
  MdnsMessage goodbye = {.flags = kAnswerFlags};
  for (const Held& held : gone) {
    if (!held.sent || (held.lasting && peers_go_on)) continue;
    goodbye.answers.push_back(held.record);
    goodbye.answers.back().ttl = 0;
    goodbye.answers.back().unique = false;  // other records of the set may stay
    if (Fits(goodbye)) continue;
    const MdnsRecord last = goodbye.answers.back();
    goodbye.answers.pop_back();
    Multicast(goodbye);
    goodbye.answers = {last};
  }
  if (!goodbye.answers.empty()) Multicast(goodbye);
}

bool MdnsResponder::settled() const {
  return std::ranges::all_of(claims_, [](const auto& claim) { return claim.second.next == kNever; });
}

// A pointer waits until this host has the name that it points to.
bool MdnsResponder::IsReady(const Held& held) const {
  const auto claim = claims_.find(held.name);
  if (claim != claims_.end() && claim->second.next != kNever) return false;
  if (held.record.type != kDnsTypePtr) return true;
  const auto target = claims_.find(DnsToLower(held.record.rdata));
  return target == claims_.end() || target->second.next == kNever;
}

bool MdnsResponder::IsOurs(const MdnsRecord& record, const Name& name) const {
  const auto same = [&](const Held& held) {
    return held.name == name && held.record.type == record.type && held.record.rdata == record.rdata;
  };
  const auto was_same = [&](const auto& former) { return SameData(former.second, record); };
  return std::ranges::any_of(held_, same) || std::ranges::any_of(former_, was_same);
}

// ------------------------------------------------------------------------------------------------------------ queries

void MdnsResponder::OnMessage(ConstBytes bytes, const Endpoint& sender, MonoTime now) {
  while (!former_.empty() && former_.front().first <= now) former_.pop_front();
  const std::optional<MdnsMessage> message = ParseMdns(bytes);
  if (!message || (message->flags & kNoQueryMask) != 0) return;
  if ((message->flags & kDnsFlagResponse) == 0) {
    OnQuery(*message, sender, now);
  } else if (sender.port == kMdnsPort) {  // §6, §11
    OnResponse(*message, sender, now);
  }
}

std::vector<MdnsResponder::Held*> MdnsResponder::Matching(const MdnsQuestion& question) {
  std::vector<Held*> found;
  Held* nsec = nullptr;
  const Name name = DnsToLower(question.name);
  for (Held& held : held_) {
    if (held.name != name || !IsReady(held)) continue;
    if (held.synthetic) nsec = &held;
    if (held.record.type == question.type || (question.type == kDnsTypeAny && !held.synthetic)) found.push_back(&held);
  }
  if (found.empty() && nsec != nullptr) found.push_back(nsec);
  return found;
}

// All records of a unique set must be known: an answer flushes the other ones (§10.2).
bool MdnsResponder::IsKnown(const Held& held, const std::vector<MdnsRecord>& answers) const {
  const auto known = [&](const MdnsRecord& record) {
    return std::ranges::any_of(answers, [&](const MdnsRecord& answer) {
      return answer.ttl >= record.ttl / 2 && SameData(answer, record);  // §7.1
    });
  };
  if (!held.record.unique) return known(held.record);
  return std::ranges::all_of(held_, [&](const Held& other) {
    return other.name != held.name || other.record.type != held.record.type || known(other.record);
  });
}

void MdnsResponder::OnQuery(const MdnsMessage& query, const Endpoint& sender, MonoTime now) {
  for (Held& held : held_) {  // more known answers of a truncated query (§7.2)
    if (held.announcements == 0 && held.only_client == sender && IsKnown(held, query.answers)) held.due = kNever;
  }
  const bool probe = !query.authority.empty();
  if (probe) OnRivals(query, now);
  const bool legacy = sender.port != kMdnsPort;
  std::vector<Held*> direct;
  std::vector<Held*> spread;
  for (size_t i = 0; i < std::min(query.questions.size(), kMostQuestions); ++i) {
    const MdnsQuestion& question = query.questions[i];
    if (std::ranges::count(std::span(query.questions).first(i), question) > 0) continue;
    for (Held* held : Matching(question)) {
      if (IsKnown(*held, query.answers)) continue;
      const bool fresh = held->sent && now - *held->sent < Seconds(held->record.ttl) / 4;  // §5.4
      std::vector<Held*>& answers = legacy || (question.unicast && fresh) ? direct : spread;
      if (std::ranges::find(answers, held) == answers.end()) answers.push_back(held);
    }
  }
  if (!direct.empty()) Reply(query, sender, direct);
  if (spread.empty()) return;
  const bool unique = std::ranges::all_of(spread, [](const Held* held) { return held->record.unique; });
  Duration delay = unique ? Duration{} : Random(Milliseconds(20), Milliseconds(120));                // §6
  if ((query.flags & kDnsFlagTruncated) != 0) delay = Random(Milliseconds(400), Milliseconds(500));  // §7.2
  for (Held* held : spread) Schedule(now + delay, probe ? kDefenceGap : kGap, sender, held);
}

void MdnsResponder::Schedule(MonoTime at, Duration gap, const Endpoint& client, Held* held) {
  if (held->sent) at = std::max(at, *held->sent + gap);
  held->only_client = held->due == kNever || held->only_client == client ? std::optional(client) : std::nullopt;
  held->due = std::min(held->due, at);
}

void MdnsResponder::Reply(const MdnsMessage& query, const Endpoint& sender, const std::vector<Held*>& answers) {
  const bool legacy = sender.port != kMdnsPort;
  MdnsMessage reply = {.flags = kAnswerFlags};
  if (legacy) {
    reply.id = query.id;
    reply.questions = query.questions;
    for (MdnsQuestion& question : reply.questions) question.unicast = false;
    if (!Fits(reply)) return;
  }
  const auto add = [&](MdnsRecord record, std::vector<MdnsRecord>* section) {
    if (legacy) record = {record.name, record.type, record.rdata, std::min(record.ttl, kLegacyTtl), false};
    section->push_back(std::move(record));
    if (Fits(reply)) return true;
    section->pop_back();
    return false;
  };
  MdnsMessage whole;
  for (const Held* held : answers) whole.answers.push_back(held->record);
  AddAdditional(std::nullopt, &whole);
  const auto fits = [&](const std::vector<MdnsRecord>& records, std::vector<MdnsRecord>* section) {
    return std::ranges::all_of(records, [&](const MdnsRecord& record) { return add(record, section); });
  };
  if (!fits(whole.answers, &reply.answers)) {
    reply.flags |= kDnsFlagTruncated;
  } else {
    fits(whole.additional, &reply.additional);
  }
  sendings_.push_back({WriteMdns(reply), sender});
}

// Adds the records that the client would query next (RFC 6763 §12), unless they were sent after `not_since`.
void MdnsResponder::AddAdditional(std::optional<MonoTime> not_since, MdnsMessage* message) const {
  std::vector<MdnsRecord> all = message->answers;
  for (size_t i = 0; i < all.size(); ++i) {  // `all` grows
    const MdnsRecord record = all[i];
    const bool pointer = record.type == kDnsTypePtr;
    if (!pointer && record.type != kDnsTypeSrv) continue;
    const Name target = DnsToLower(record.rdata.substr(pointer ? 0 : kSrvFixed));
    for (const Held& held : held_) {
      const uint16_t type = held.record.type;
      const bool next = IsAddress(type) || (pointer && (type == kDnsTypeSrv || type == kDnsTypeTxt));
      if (!next || held.name != target || !IsReady(held)) continue;
      if (not_since && held.sent && *held.sent > *not_since) continue;
      if (std::ranges::find(all, held.record) != all.end()) continue;
      all.push_back(held.record);
      message->additional.push_back(held.record);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- conflicts

// Another host probes for a name that we probe for: the greater records win (§8.2).
void MdnsResponder::OnRivals(const MdnsMessage& probe, MonoTime now) {
  for (auto& [name, claim] : claims_) {
    if (claim.next == kNever) continue;
    Claimed theirs;
    Claimed ours;
    for (const MdnsRecord& record : probe.authority) {
      if (DnsToLower(record.name) == name) theirs.emplace_back(record.type, record.rdata);
    }
    for (const Held& held : held_) {
      if (held.name == name && !held.synthetic) ours.emplace_back(held.record.type, held.record.rdata);
    }
    const auto bytes = [](char a, char b) { return static_cast<uint8_t>(a) < static_cast<uint8_t>(b); };
    const auto less = [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      return std::ranges::lexicographical_compare(a.second, b.second, bytes);
    };
    std::ranges::sort(theirs, less);
    std::ranges::sort(ours, less);
    if (theirs.empty() || !std::ranges::lexicographical_compare(ours, theirs, less)) continue;
    claim.probes = 0;
    claim.next = now + kAfterDefeat;
  }
}

void MdnsResponder::OnResponse(const MdnsMessage& response, const Endpoint& sender, MonoTime now) {
  const bool from_us = std::ranges::find(own_, sender.address) != own_.end();
  std::set<Name> conflicts;
  for (const auto* section : {&response.answers, &response.additional}) {
    for (const MdnsRecord& record : *section) {
      const Name name = DnsToLower(record.name);
      bool differs = false;
      for (Held& held : held_) {
        if (held.name != name || held.record.type != record.type || held.synthetic) continue;
        if (held.record.rdata != record.rdata) {
          differs = held.record.unique;
        } else if (!from_us && record.ttl < held.record.ttl / 2) {
          const MonoTime soon = held.sent ? std::max(now, *held.sent + kGap) : now;
          if (IsReady(held)) held.due = std::min(held.due, soon);  // or all hosts would drop it too early (§6.6)
        } else if (!from_us && held.announcements == 0 && record.ttl >= held.record.ttl) {
          held.due = kNever;  // another host has answered (§7.4)
        }
      }
      if (differs && record.ttl != 0 && !from_us && !IsOurs(record, name)) conflicts.insert(name);
    }
  }
  for (const Name& name : conflicts) OnConflict(name, now);
}

// One message is not enough: it may repeat an earlier record of this host. A host that has the name answers the new
// probes.
void MdnsResponder::OnConflict(const Name& name, MonoTime now) {
  Claim& claim = claims_[name];
  if (claim.next != kNever && claim.contested && claim.probes > 0) {
    if (lost_.insert(name).second) ++losses_;
    claim = {.next = now + kAfterManyLosses, .contested = true};  // until this host publishes another name
    return;
  }
  if (claim.next != kNever && claim.contested) return;  // the deciding probe is not sent yet
  const Duration wait = claim.next == kNever ? Random({}, kProbeInterval) : kAfterDefeat;
  claim = {.next = now + wait, .contested = true};
  for (Held& held : held_) {
    if (!IsReady(held)) held.due = kNever;
  }
}

// --------------------------------------------------------------------------------------------------------------- time

MonoTime MdnsResponder::NextDeadline() const {
  MonoTime next = kNever;
  for (const auto& [name, claim] : claims_) next = std::min(next, claim.next);
  for (const Held& held : held_) next = std::min(next, held.due);
  return next;
}

void MdnsResponder::OnTime(MonoTime now) {
  Probe(now);
  SendDue(now);
}

void MdnsResponder::Establish(const Name& name, MonoTime now) {
  claims_[name] = {};
  for (Held& held : held_) {
    const bool leads_here = held.record.type == kDnsTypePtr && DnsToLower(held.record.rdata) == name;
    if (held.synthetic || (held.name != name && !leads_here) || !IsReady(held)) continue;
    held.announcements = kAnnouncements;
    held.due = held.sent ? std::max(now, *held.sent + kGap) : now;
  }
}

void MdnsResponder::Probe(MonoTime now) {
  MdnsMessage probe;
  for (auto& [name, claim] : claims_) {
    if (claim.next > now) continue;
    if (claim.probes == kProbes) {
      Establish(name, now);
      continue;
    }
    ++claim.probes;
    claim.next = now + kProbeInterval;
    const MdnsMessage before = probe;
    const auto add = [&, &name = name] {
      probe.questions.push_back({.name = name, .type = kDnsTypeAny, .unicast = true});
      for (const Held& held : held_) {
        if (held.name != name || held.synthetic) continue;
        probe.authority.push_back(held.record);
        probe.authority.back().unique = false;  // §8.1, §10.2
        probe.questions.back().name = held.record.name;
      }
    };
    add();
    if (Fits(probe) || before.questions.empty()) continue;
    Multicast(before);
    probe = {};
    add();
  }
  if (!probe.questions.empty()) Multicast(probe);
}

void MdnsResponder::SendDue(MonoTime now) {
  std::vector<Held*> due;
  for (Held& held : held_) {
    if (held.due > now) continue;
    held.due = kNever;
    if (IsReady(held)) due.push_back(&held);  // otherwise Establish() sends it later
  }
  MdnsMessage message = {.flags = kAnswerFlags};
  const auto send = [&] {
    AddAdditional(now - kGap, &message);
    while (!message.additional.empty() &&
           !Fits(message)) {  // whole sets, because part of a set flushes the rest (§10.2)
      const MdnsRecord last = message.additional.back();
      std::erase_if(message.additional,
                    [&](const MdnsRecord& r) { return r.type == last.type && r.name == last.name; });
    }
    for (Held& held : held_) {
      if (std::ranges::find(message.additional, held.record) != message.additional.end()) held.sent = now;
    }
    Multicast(message);
    message = {.flags = kAnswerFlags};
  };
  for (Held* held : due) {
    held->sent = now;
    held->only_client.reset();
    if (held->announcements > 0 && --held->announcements > 0) held->due = now + kAnnouncementInterval;
    message.answers.push_back(held->record);
    if (message.answers.size() == 1 || Fits(message)) continue;
    message.answers.pop_back();
    send();
    message.answers = {held->record};
  }
  if (!message.answers.empty()) send();
}

}  // namespace qure
