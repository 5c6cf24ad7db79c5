// Both sides of an adoption as somebody plays them who wants in: nothing that comes is checked, and nothing is left out
// that could be taken.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "control/core/admission/admitter.h"
#include "control/core/admission/handshake.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/session_keys.h"
#include "tests/sim/random.h"

namespace qure::sim {

// A UDP payload of channel 3 to a MAC.
using SendAdoption = std::function<void(MonoTime now, const MacAddress& to, ConstBytes payload)>;

admission::DrawSecret DrawFrom(Random* random);

// Comes for keys.
class Intruder {
 public:
  struct Facts {
    admission::SigningKey identity;
    NodeId node{};
    MacAddress mac;
    admission::Fingerprint want{};
    std::optional<std::vector<uint8_t>> renew;  // as a member: with this ADMIT record, or none
    admission::TokenId token{};
    admission::Signature by_token{};  // that it has heard of another
    admission::PublicKey recovery{};  // of the cluster
  };
  // `random` outlives it.
  Intruder(Facts facts, Random* random, SendAdoption send) : facts_(facts), random_(random), send_(std::move(send)) {}

  void Ask(MonoTime now);
  void OnMessage(MonoTime now, const MacAddress& source, const admission::AdmissionMessage& message);
  // What was given since this was asked last.
  std::vector<admission::SessionGrant> Take() { return std::exchange(given_, {}); }
  const admission::PublicKey& identity() const { return facts_.identity.public_key; }
  void SetToken(const admission::Signature& signature) { facts_.by_token = signature; }

 private:
  struct Handshake {
    MacAddress with;
    admission::HandshakeKeys keys;
    std::set<uint32_t> records;
    bool waits = false;  // it lets the other side wait for what is due: perhaps more is given later
  };

  void OnOffer(MonoTime now, const admission::OfferMessage& offer);
  void OnRecords(MonoTime now, const admission::RecordsMessage& records);
  void OnWelcome(MonoTime now, const admission::WelcomeMessage& welcome);

  Facts facts_;
  Random* random_;
  SendAdoption send_;
  std::deque<std::pair<admission::Digest, admission::Ephemeral>> asked_;  // by h1; the newest last
  std::deque<Handshake> handshakes_;
  std::vector<admission::SessionGrant> given_;
};

// Offers membership to all that ask. The class of the cluster's side is the production's: what is false are its facts.
class FalseAdmitter {
 public:
  struct Facts {
    admission::SigningKey identity;
    NodeId node{};
    MacAddress mac;
    admission::RecordSet records;
    std::vector<admission::SessionGrant> keys;
    uint16_t port = 0;
    Ipv4Address group;
  };
  FalseAdmitter(Facts facts, Random* random, SendAdoption send);

  void OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload);
  void Tick(MonoTime now);
  const admission::RecordSet& records() const { return facts_.records; }
  // Whom it has admitted.
  std::vector<admission::PublicKey> Take() { return std::exchange(admitted_, {}); }

 private:
  admission::AdmitterFacts Now() const;
  void Execute(MonoTime now, const admission::AdmissionActions& actions);

  Facts facts_;
  SendAdoption send_;
  admission::View view_;
  admission::SessionKeys keys_;
  admission::Admitter admitter_;
  std::vector<admission::PublicKey> admitted_;
};

}  // namespace qure::sim
