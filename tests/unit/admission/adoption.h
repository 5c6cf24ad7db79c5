// Clusters and candidates on one wire, in virtual time: what the tests of adoption share. The wire loses, delays and
// remembers datagrams, and anybody may put some on it.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/core/admission/admitter.h"
#include "control/core/admission/candidate.h"
#include "tests/unit/admission/support.h"

namespace qure::admission::test {

inline constexpr MonoTime kStart{1'000'000'000'000};
inline constexpr Duration kWireDelay = Microseconds(100);
inline constexpr Duration kStoreDelay = Milliseconds(10);

inline MacAddress MacOf(uint8_t number) {
  return {{2, 0, 0, 0, 0, number}};
}

struct Sent {
  MonoTime at;
  MacAddress from;
  MacAddress to;
  std::vector<uint8_t> payload;

  MessageType type() const { return static_cast<MessageType>(payload[4]); }
  AdmissionMessage message() const { return std::get<AdmissionMessage>(ReadMessage(payload)); }
  template <typename T>
  std::optional<T> As() const {
    const AdmissionMessage read = message();
    const T* found = std::get_if<T>(&read);
    return found == nullptr ? std::nullopt : std::optional<T>(*found);
  }
};

class Wire;

// One that is on the wire, which outlives it.
class Station {
 public:
  Station(Wire* wire, uint8_t station_number);
  virtual ~Station();
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  virtual void Hear(MonoTime now, const MacAddress& from, ConstBytes payload) = 0;
  virtual void Tick(MonoTime now) = 0;
  virtual MonoTime NextDeadline() const = 0;

  uint8_t number;  // of its identity in support.h, and of its MAC
  MacAddress mac;
  bool down = false;  // neither hears nor does anything

 protected:
  Wire* wire_;
};

class Wire {
 public:
  void Add(Station* station) { stations_.push_back(station); }
  void Remove(Station* station) { std::erase(stations_, station); }

  void Send(const MacAddress& from, const MacAddress& to, std::vector<uint8_t> payload) {
    sent.push_back({.at = now, .from = from, .to = to, .payload = std::move(payload)});
    if (lose && lose(sent.back())) return;
    Inject(sent.back(), kWireDelay);
  }
  // Puts it on the wire again, or what somebody made.
  void Inject(const Sent& datagram, Duration after = {}) {
    due_.emplace(now + after, [this, datagram] { Deliver(datagram); });
  }
  void At(MonoTime at, std::function<void()> what) { due_.emplace(at, std::move(what)); }

  // Until the condition holds; false: it did not in time. Never more than `longest` of virtual time.
  bool RunUntil(const std::function<bool()>& holds, Duration longest) {
    const MonoTime end = now + longest;
    while (!holds()) {
      const MonoTime next = NextEvent();
      if (next > end) {
        now = end;
        return holds();
      }
      now = std::max(now, next);
      Step();
    }
    return true;
  }
  void RunFor(Duration span) {
    RunUntil([] { return false; }, span);
  }

  size_t Count(MessageType type, const MacAddress& from) const {
    return static_cast<size_t>(
        std::ranges::count_if(sent, [&](const Sent& each) { return each.from == from && each.type() == type; }));
  }
  const Sent* Last(MessageType type, const MacAddress& from) const {
    for (auto each = sent.rbegin(); each != sent.rend(); ++each) {
      if (each->from == from && each->type() == type) return &*each;
    }
    return nullptr;
  }

  MonoTime now = kStart;
  std::deque<Sent> sent;
  std::function<bool(const Sent&)> lose;

 private:
  MonoTime NextEvent() const {
    MonoTime next = due_.empty() ? kNever : due_.begin()->first;
    for (const Station* station : stations_) {
      if (!station->down) next = std::min(next, station->NextDeadline());
    }
    return next;
  }
  void Step() {
    while (!due_.empty() && due_.begin()->first <= now) {
      const auto what = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      what();
    }
    for (Station* station : stations_) {
      if (!station->down && station->NextDeadline() <= now) station->Tick(now);
    }
  }
  void Deliver(const Sent& datagram) {
    for (Station* station : stations_) {
      const bool for_it = datagram.to == kBroadcastMac || datagram.to == station->mac;
      if (for_it && !station->down && station->mac != datagram.from)
        station->Hear(now, datagram.from, datagram.payload);
    }
  }

  std::vector<Station*> stations_;
  std::multimap<MonoTime, std::function<void()>> due_;
};

inline Station::Station(Wire* wire, uint8_t station_number)
    : number(station_number), mac(MacOf(station_number)), wire_(wire) {
  wire->Add(this);
}
inline Station::~Station() {
  wire_->Remove(this);
}

// Bytes that differ from call to call and are the same in each run.
inline DrawSecret DrawFrom(std::shared_ptr<std::minstd_rand> random) {
  return [random](MutableBytes bytes) {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)() >> 8);
  };
}

// A node without keys.
class Newcomer : public Station {
 public:
  Newcomer(Wire* wire, uint8_t station_number, const std::function<void(CandidateConfig*)>& change = {})
      : Station(wire, station_number),
        random_(std::make_shared<std::minstd_rand>(static_cast<uint32_t>(station_number + wire->now.ns / 1'000'000))) {
    CandidateConfig config{.identity = KeyOf(number),
                           .node = NodeIdOf(Identity(number)),
                           .boot = {number},
                           .mac = mac,
                           .revision = "r1",
                           .name = "n" + std::to_string(number)};
    if (change) change(&config);
    candidate = std::make_unique<Candidate>(config, DrawFrom(random_), *random_, wire->now);
  }

  void Hear(MonoTime now, const MacAddress& from, ConstBytes payload) override {
    AdmissionActions out;
    candidate->OnDatagram(now, from, payload, &out);
    Do(std::move(out));
  }
  void Tick(MonoTime now) override {
    AdmissionActions out;
    candidate->Tick(now, &out);
    Do(std::move(out));
  }
  MonoTime NextDeadline() const override { return candidate->NextDeadline(); }
  bool keyed() const { return candidate->state() == CandidateState::kKeyed; }

  std::unique_ptr<Candidate> candidate;
  std::optional<PersistMembership> membership;  // as it is durable
  std::vector<ShowAmbiguous> ambiguous;
  std::vector<LearnRecords> learned;
  std::vector<ShowRefused> refused;
  std::vector<std::string> logs;
  bool store_is_slow = false;  // nothing becomes durable

 private:
  void Do(AdmissionActions actions) {
    for (AdmissionAction& action : actions) {
      if (auto* send = std::get_if<SendPayload>(&action)) wire_->Send(mac, send->to, send->payload);
      if (auto* show = std::get_if<ShowAmbiguous>(&action)) ambiguous.push_back(*show);
      if (auto* learn = std::get_if<LearnRecords>(&action)) learned.push_back(*learn);
      if (auto* show = std::get_if<ShowRefused>(&action)) refused.push_back(*show);
      if (auto* log = std::get_if<Log>(&action)) logs.push_back(log->text);
      if (auto* persist = std::get_if<PersistMembership>(&action); persist != nullptr && !store_is_slow) {
        wire_->At(wire_->now + kStoreDelay, [this, persisted = *persist] {
          membership = persisted;
          AdmissionActions out;
          candidate->OnPersisted(wire_->now, persisted.ticket, &out);
          Do(std::move(out));
        });
      }
    }
  }

  std::shared_ptr<std::minstd_rand> random_;
};

// Makes the genesis of a cluster whose founder is `number`.
inline Record GenesisOf(uint8_t number, uint8_t cluster = 9) {
  return Record::Sign(
      Genesis{.time = 5, .cluster = {cluster}, .recovery = Identity(kRecovery), .founder = ListedOf(number)},
      KeyOf(kRecovery));
}

// A member, with what the wiring of a node would do.
class Member : public Station {
  std::shared_ptr<std::minstd_rand> random_;

 public:
  Member(Wire* wire, uint8_t station_number, RecordSet known, int answers_as = 0)
      : Station(wire, station_number),
        random_(std::make_shared<std::minstd_rand>(station_number)),
        records(std::move(known)),
        rank(answers_as),
        admitter(DrawFrom(random_)) {
    Follow();
  }

  void Follow() {
    view = ViewOf(records);
    keys.Follow(view, Identity(number), wire_->now);
    if (keys.make_at() == kNever) return;
    const uint32_t id = static_cast<uint32_t>((*random_)());
    keys.Take(*keys.Make(KeyOf(number), head(), {static_cast<uint8_t>(id), number}, id));
  }
  RecordHead head() const { return {.cluster = MarkOf(records.cluster()), .time = 7, .uptime_ms = 3}; }
  AdmitterFacts facts() const {
    return {.identity = KeyOf(number),
            .node = NodeIdOf(Identity(number)),
            .mac = mac,
            .rank = rank,
            .records = records,
            .view = view,
            .keys = keys,
            .head = head(),
            .cluster_name = "home",
            .lineage = 77,
            .era = 4,
            .port = 7873,
            .group = {{239, 192, 1, 2}},
            .sources = sources};
  }

  void Hear(MonoTime now, const MacAddress& from, ConstBytes payload) override {
    AdmissionActions out;
    admitter.OnDatagram(now, from, payload, facts(), &out);
    Do(std::move(out));
  }
  void Tick(MonoTime now) override {
    AdmissionActions out;
    admitter.Tick(now, facts(), &out);
    Do(std::move(out));
  }
  MonoTime NextDeadline() const override { return admitter.NextDeadline(); }
  std::vector<ListedCandidate> Expect(uint8_t newcomer, Duration until = Seconds(3600)) {
    return admitter.Expect(wire_->now, DigitsOf(FingerprintOf(Identity(newcomer))).substr(0, kCodeDigits),
                           wire_->now + until);
  }
  // Makes what waits for the store durable.
  void Persist() {
    for (const PersistAdmission& each : std::exchange(waiting, {})) Durable(each);
  }

  RecordSet records;
  View view;
  SessionKeys keys;
  std::vector<PullSource> sources;
  int rank = 0;
  bool store_is_slow = false;  // until Persist
  std::vector<PersistAdmission> waiting;
  std::vector<PersistAdmission> admitted;
  std::vector<LearnAdmission> learned;
  std::vector<PublicKey> adopted;
  Admitter admitter;

 private:
  void Do(AdmissionActions actions) {
    for (AdmissionAction& action : actions) {
      if (auto* send = std::get_if<SendPayload>(&action)) wire_->Send(mac, send->to, send->payload);
      if (auto* each = std::get_if<Adopted>(&action)) adopted.push_back(each->identity);
      if (auto* learn = std::get_if<LearnAdmission>(&action)) {
        learned.push_back(*learn);
        records.Add(learn->record);
        Follow();
      }
      if (auto* persist = std::get_if<PersistAdmission>(&action)) {
        if (store_is_slow) {
          waiting.push_back(*persist);
        } else {
          wire_->At(wire_->now + kStoreDelay, [this, each = *persist] { Durable(each); });
        }
      }
    }
  }
  void Durable(const PersistAdmission& persist) {
    if (down) return;
    admitted.push_back(persist);
    records.Add(persist.record);
    Follow();
    AdmissionActions out;
    admitter.OnPersisted(wire_->now, persist.ticket, facts(), &out);
    Do(std::move(out));
  }
};

}  // namespace qure::admission::test
